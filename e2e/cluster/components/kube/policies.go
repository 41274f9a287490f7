package main

import (
	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// newPolicyEngine is kube-network-policies, which kind uses too. Its own command works in a pod only; this one takes a
// kubeconfig. It judges the packets that the node's filter rules queue for it, so no alpha policies are asked for.
func newPolicyEngine() *cobra.Command {
	var kubeconfig, node string
	command := &cobra.Command{Use: "kube-network-policies", SilenceUsage: true, RunE: func(command *cobra.Command, _ []string) error {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		factory := informers.NewSharedInformerFactory(client, 0)
		controller, err := networkpolicy.NewController(client,
			factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods(),
			nil, nil, nil, nil, networkpolicy.Config{NodeName: node})
		if err != nil {
			return err
		}
		factory.Start(command.Context().Done())
		return controller.Run(command.Context())
	}}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&node, "hostname-override", "", "the node's name")
	return command
}
