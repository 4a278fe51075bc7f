// Kube is Kubernetes in one program: `kube apiserver …`, `kube etcd …`, `kube kubectl …`.
// Its parts share most of their code, so that one program is half the size and half the link time of six.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("say which part: apiserver, controller-manager, scheduler, kubelet, kubectl, etcd")
	}
	// Each part reads its own options, as if it were the program.
	part := os.Args[1]
	os.Args = os.Args[1:]
	switch part {
	case "apiserver":
		run(apiserver.NewAPIServerCommand())
	case "controller-manager":
		run(manager.NewControllerManagerCommand())
	case "scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kubelet":
		run(kubelet.NewKubeletCommand(context.Background()))
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
	case "etcd":
		etcdmain.Main(os.Args)
	default:
		fail(fmt.Sprintf("there is no part %q", part))
	}
}

func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

func fail(sentence string) {
	fmt.Fprintln(os.Stderr, "kube:", sentence)
	os.Exit(2)
}
