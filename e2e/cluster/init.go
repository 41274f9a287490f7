package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Where the cluster's processes find things. These are paths of the cluster's own mount namespace, so they are the
// same for every cluster and hidden from the rest of the machine.
const (
	binDir     = "/mnt/bin"
	imageDir   = "/mnt/images"
	clusterDir = "/mnt/cluster"
	logDir     = "/var/log"
)

// tunables are settings of the whole machine that a kubelet insists on, with the values it wants. It is given files
// of its own to read and write in their place.
var tunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// Files that `up` hands to init, and the one that init hands on to the supervisor.
const (
	gateFD                = 3
	progressFD            = 4
	supervisorsProgressFD = 3
)

// initialise is process 1 of a cluster. It waits to be recorded, makes the cluster's view of the machine, and then
// only reaps: what the supervisor doesn't wait for itself, the shims of pods above all, ends up here.
func initialise(c *Cluster, level string) error {
	if n, err := os.NewFile(gateFD, "gate").Read(make([]byte, 1)); n == 0 {
		return fmt.Errorf("ended before the start was recorded: %w", err)
	}
	if err := c.mounts(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	supervisor, err := os.StartProcess("/proc/self/exe", []string{"cluster", "supervise", c.Name, level}, &os.ProcAttr{
		Dir:   clusterDir,
		Env:   []string{"PATH=" + binDir + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/run"},
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(progressFD, "progress")},
	})
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		} else if err != nil {
			return err
		}
		if pid == supervisor.Pid {
			return fmt.Errorf("supervisor ended: %s", describe(status))
		}
	}
}

// describe words how a process ended.
func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// mounts gives the cluster empty folders of its own wherever a node keeps state, so that nothing of it is ever on the
// machine's disk or in another cluster's way, and short fixed paths to what it shares with the checkout.
func (c *Cluster) mounts() error {
	type mount struct {
		source, target, fstype string
		flags                  uintptr
	}
	list := []mount{
		// Cut off from the machine first; then shared among the cluster's own namespaces, as the kubelet wants it.
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"none", "/", "", syscall.MS_REC | syscall.MS_SHARED},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
		{"tmpfs", "/mnt", "tmpfs", 0},
		{work("bin"), binDir, "", syscall.MS_BIND},
		{work("images"), imageDir, "", syscall.MS_BIND},
		{c.Dir, clusterDir, "", syscall.MS_BIND},
		{c.path("log"), logDir, "", syscall.MS_BIND},
		{"tmpfs", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV},
		{"tmpfs", "/var/lib", "tmpfs", syscall.MS_NODEV},
	}
	for _, m := range list {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.source, m.target, m.fstype, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	for name, value := range tunables {
		own := filepath.Join("/mnt/sys", name)
		if err := writeFile(own, value, 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, filepath.Join("/proc/sys", name), "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount over %s: %w", name, err)
		}
	}
	return nil
}
