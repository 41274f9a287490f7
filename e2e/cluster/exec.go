package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// execute replaces this process by a command in the cluster's network, or the internet's, with the machine's own
// files, so that paths mean what the caller means.
func execute(c *Cluster, internet bool, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("no command to run\n%s", usage)
	}
	r, err := c.runningOrError()
	if err != nil {
		return err
	}
	namespace := fmt.Sprintf("/proc/%d/ns/net", r.PID)
	if internet {
		namespace = fmt.Sprintf("/proc/%d/root/run/netns/internet", r.PID)
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	args := append([]string{"nsenter", "--net=" + namespace, "--"}, command...)
	for name, value := range c.environment() {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return syscall.Exec(nsenter, args, os.Environ())
}

// environment is what makes kubectl and helm work on the cluster and leave their files with it.
func (c *Cluster) environment() map[string]string {
	return map[string]string{
		"PATH":             work("bin") + ":" + os.Getenv("PATH"),
		"KUBECONFIG":       c.path("admin.kubeconfig"),
		"KUBECACHEDIR":     c.path("cache", "kubectl"),
		"HELM_CACHE_HOME":  c.path("cache", "helm"),
		"HELM_CONFIG_HOME": c.path("cache", "helm-config"),
		"HELM_DATA_HOME":   c.path("cache", "helm-data"),
	}
}
