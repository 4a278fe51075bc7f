//! Turns `proto/*.proto` into Rust without `protoc`, and writes the `Debug` of every message that
//! has something to hide. So `{:?}` of a request is safe in any log line, and stays safe when the
//! interface grows: what to hide is read from the descriptors, message by message.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

const PROTOS: [&str; 3] = ["csi.proto", "admin.proto", "pluginregistration.proto"];

/// The option by which the interface marks a field that holds credentials.
const SECRET: &str = "csi.v1.csi_secret";

/// Fields that are hidden though the interface does not mark them: a pod's tokens may travel in a
/// context, and a password in the flags of a mount.
const HIDDEN_BY_NAME: [&str; 3] = ["volume_context", "publish_context", "mount_flags"];

/// The version of the GNU C library from which on it reads packed relocations.
const READS_PACKED_RELOCATIONS: (u32, u32) = (2, 36);

fn main() -> Result<(), Box<dyn Error>> {
    pack_relocations();
    for proto in PROTOS {
        println!("cargo::rerun-if-changed=proto/{proto}");
    }
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(PROTOS)?;
    fs::write(out_dir.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;

    // From here on with the comments, which become the documentation of the Rust types.
    compiler.include_source_info(true);
    let hiding = messages_that_hide(&compiler.descriptor_pool());
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .skip_debug(hiding.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(compiler.file_descriptor_set())?;
    for message in &hiding {
        append_debug(&out_dir, message)?;
    }
    Ok(())
}

/// Asks the linker for the short form of relocations, where the C library reads it. The long one is half a
/// mebibyte.
fn pack_relocations() {
    if glibc_version().is_some_and(|version| version >= READS_PACKED_RELOCATIONS) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Returns the version of the GNU C library of this machine, if this is what is built for.
#[expect(
    clippy::disallowed_methods,
    reason = "the rule is for the driver, which must not wait for a program for ever"
)]
fn glibc_version() -> Option<(u32, u32)> {
    if env::var("CARGO_CFG_TARGET_ENV").ok()? != "gnu"
        || env::var("HOST").ok()? != env::var("TARGET").ok()?
    {
        return None;
    }
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn messages_that_hide(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages().filter(|message| message.fields().any(|field| is_hidden(&field))).collect()
}

fn is_hidden(field: &FieldDescriptor) -> bool {
    let is_secret = field
        .options()
        .extensions()
        .any(|(option, value)| option.full_name() == SECRET && value.as_bool() == Some(true));
    is_secret || HIDDEN_BY_NAME.contains(&field.name())
}

/// Appends a message's `Debug` to the file that prost has just written for its package.
fn append_debug(out_dir: &Path, message: &MessageDescriptor) -> io::Result<()> {
    let path = out_dir.join(format!("{}.rs", message.package_name()));
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(debug_impl(message).as_bytes())
}

/// Returns the source of a message's `Debug`.
///
/// It does not compile where it guesses a name other than prost's, nor where prost has left out the
/// `Debug` of a type nested in the message too. It never shows what should be hidden.
fn debug_impl(message: &MessageDescriptor) -> String {
    // The members of a oneof are one field in Rust, hidden if any of them is.
    let mut fields: Vec<(String, bool)> = Vec::new();
    for field in message.fields() {
        let name = rust_field(&field);
        let hidden = is_hidden(&field);
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known_hidden)) => *known_hidden |= hidden,
            None => fields.push((name, hidden)),
        }
    }
    let fields: String = fields.iter().map(|(name, hidden)| debug_field(name, *hidden)).collect();
    format!(
        "impl ::core::fmt::Debug for {path} {{\n\
         \x20   fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n\
         \x20       f.debug_struct({name:?}){fields}\n\
         \x20           .finish()\n\
         \x20   }}\n\
         }}\n",
        path = rust_path(message),
        name = message.name(),
    )
}

fn debug_field(name: &str, hidden: bool) -> String {
    let value = if hidden {
        "::core::format_args!(\"[redacted]\")".to_owned()
    } else {
        // Raw, because a field may be called `type`.
        format!("self.r#{name}")
    };
    format!("\n            .field({name:?}, &{value})")
}

/// Returns the name of the Rust field that holds a field: its own, or that of its oneof.
fn rust_field(field: &FieldDescriptor) -> String {
    match field.containing_oneof() {
        Some(oneof) if !oneof.is_synthetic() => oneof.name().to_owned(),
        Some(_) | None => field.name().to_owned(),
    }
}

/// Returns the path of a message's type within its package: `outer_message::Inner`.
fn rust_path(message: &MessageDescriptor) -> String {
    let mut path = message.name().to_owned();
    let mut parent = message.parent_message();
    while let Some(outer) = parent {
        path = format!("{}::{path}", snake_case(outer.name()));
        parent = outer.parent_message();
    }
    path
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
