use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

fn endpoint(at: &Path) -> Endpoint {
    Endpoint::at(at).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn the_socket_is_private_alone_and_gone_in_the_end() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("csi.sock");
    let socket = Socket::listen(&endpoint(&path)).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(room.path()), ["csi.sock"]);
    drop(UnixStream::connect(&path).await.unwrap());
    drop(socket);
    assert!(names(room.path()).is_empty());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_refused() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("csi.sock");
    // What a killed driver leaves: a file that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = Socket::listen(&endpoint(&path)).await.unwrap();

    let refused = Socket::listen(&endpoint(&path)).await.unwrap_err();
    let expected = format!("process {} already listens on {}", std::process::id(), path.display());
    assert!(refused.to_string().starts_with(&expected), "{refused}");
    drop(UnixStream::connect(&path).await.unwrap());
    drop(first);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a process that leaves its socket to a child")]
async fn what_a_dead_process_has_left_open_for_a_moment_is_waited_for() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("csi.sock");
    let script = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Local => shift, Listen => 128) or die; \
                  exit if fork; sleep 1";
    let status = Command::new("perl").args(["-e", script]).arg(&path).status().unwrap();
    assert!(status.success());
    Socket::check(&endpoint(&path)).await.unwrap();
    drop(Socket::listen(&endpoint(&path)).await.unwrap());
}

#[tokio::test]
async fn of_two_that_start_at_once_one_listens() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("csi.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let at = endpoint(&path);
    let (one, other) = tokio::join!(Socket::listen(&at), Socket::listen(&at));
    let refused = match (one, other) {
        (Ok(_socket), Err(refused)) | (Err(refused), Ok(_socket)) => refused,
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, SocketError::Live { .. }), "{refused}");
}

#[tokio::test]
async fn the_file_of_a_successor_stays() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("csi.sock");
    let socket = Socket::listen(&endpoint(&path)).await.unwrap();
    // A file of its own first, so that it cannot get the inode of the old one.
    fs::write(room.path().join("successor"), "").unwrap();
    fs::rename(room.path().join("successor"), &path).unwrap();
    drop(socket);
    assert_eq!(names(room.path()), ["csi.sock"]);
}

#[tokio::test]
async fn what_is_no_place_for_a_socket_is_named() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = room.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for (path, expected) in [
        (file.clone(), format!("{} is there and is not a socket", file.display())),
        (link.clone(), format!("{} is there and is not a socket", link.display())),
        (
            room.path().join("none/csi.sock"),
            format!("cannot use the directory {}/none", room.path().display()),
        ),
        (file.join("csi.sock"), format!("cannot look at the socket {}/csi.sock", file.display())),
    ] {
        let refused = Socket::listen(&endpoint(&path)).await.unwrap_err();
        assert!(refused.to_string().starts_with(&expected), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}
