// Command peer is the operator that Postern's bench is compared with. For each schedule it does the same writes as Postern: one
// CronJob and one status. It doesn't work them out: it takes both from a template, which is what Postern made of such a
// schedule. All else is as controller-runtime has it by default, so that the numbers show what anybody would get.
// It exists for the bench alone.
package main

import (
	"errors"
	"flag"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	templateFile := flag.String("template", "", `a JSON file: {"cronJob": …, "status": …}, with NAME in place of the schedule's name`)
	workers := flag.Int("workers", 0, "how many schedules are reconciled at once; 0: controller-runtime's default, which is 1")
	leaseNamespace := flag.String("lease-namespace", "", "the namespace of the Lease by which one operator leads")
	flag.Parse()

	ctrl.SetLogger(zap.New())
	if err := run(*templateFile, *workers, *leaseNamespace); err != nil {
		ctrl.Log.Error(err, "the operator can't go on")
		os.Exit(1)
	}
}

func run(templateFile string, workers int, leaseNamespace string) error {
	template, err := readTemplate(templateFile)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), addToScheme(scheme)); err != nil {
		return err
	}
	// This config has no client-side rate limit (QPS is -1): the API server's fairness alone limits the client, however many
	// workers there are.
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:         scheme,
		LeaderElection: true,
		// Postern's own Lease, so that the rights with which Postern is installed are enough for this program.
		LeaderElectionID:        "postern-operator",
		LeaderElectionNamespace: leaseNamespace,
		Metrics:                 metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	reconciler := &reconciler{Client: manager.GetClient(), template: template}
	if err := reconciler.setUp(manager, workers); err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
