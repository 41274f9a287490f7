// Command cluster runs real Kubernetes clusters for tests, each in Linux namespaces of its own.
//
// A cluster is one process, the init of a PID, mount, network, UTS and IPC namespace, and everything below
// it. When that process ends, however it ends, the kernel ends all the rest: every component, shim and pod,
// every mount, every network namespace. What a kernel doesn't take away, the cgroups and the files on disk,
// `cluster down` removes.
package main

import (
	"fmt"
	"os"
	"strings"
)

const usage = `usage: cluster COMMAND
  build [TARGET…]             build the components and the images that the clusters run, if they are missing, and beside them
                              targets of the Makefile
  up [--control-plane] NAME   start a cluster, or say what is wrong with the one that runs and start it anew
  down [NAME]                 end one cluster, or all that this checkout has
  exec [--internet] NAME COMMAND [ARG…]
                              run a command in the cluster's network, as its admin
  image CONTEXT [NAME…]       build the image of a folder with a Containerfile; load it into the named clusters
`

func main() {
	// A user who became root may not have these, and the tools of packages stand in them.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	command, args := args[0], args[1:]
	flag := func(name string) bool {
		if len(args) == 0 || args[0] != name {
			return false
		}
		args = args[1:]
		return true
	}
	switch command {
	case "build":
		return build(args)
	case "up":
		controlPlane := flag("--control-plane")
		return with(args, func(c *Cluster, _ []string) error { return up(c, levelOf(controlPlane)) })
	case "down":
		if len(args) == 0 {
			return downAll()
		}
		return with(args, func(c *Cluster, _ []string) error { return down(c) })
	case "exec":
		internet := flag("--internet")
		return with(args, func(c *Cluster, command []string) error { return execute(c, internet, command) })
	case "image":
		if len(args) == 0 {
			return fmt.Errorf("no folder to build\n%s", usage)
		}
		return image(args[0], args[1:])
	case "init":
		return with(args, func(c *Cluster, level []string) error { return initialise(c, level[0]) })
	case "supervise":
		return with(args, func(c *Cluster, level []string) error { return supervise(c, level[0]) })
	}
	return fmt.Errorf("%q is not a command\n%s", strings.ToValidUTF8(command, "?"), usage)
}

// with calls do with the cluster that the first argument names, and the rest of the arguments.
func with(args []string, do func(*Cluster, []string) error) error {
	if len(args) == 0 {
		return fmt.Errorf("no name of a cluster\n%s", usage)
	}
	c, err := open(args[0])
	if err != nil {
		return err
	}
	return do(c, args[1:])
}
