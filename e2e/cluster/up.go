package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

//go:embed config
var config embed.FS

// up makes the cluster run: at once if it does and is healthy, else from nothing.
func up(c *Cluster, level string) error {
	began := time.Now()
	if err := c.lock(); err != nil {
		return err
	}
	r, err := c.running()
	if err != nil {
		return err
	}
	if r != nil {
		problem := c.problem(r, level)
		if problem == nil {
			fmt.Printf("cluster %s is up already\n", c.Name)
			c.printUse()
			return nil
		}
		fmt.Printf("cluster %s is broken and is started anew: %s\n", c.Name, problem)
	}
	if err := errors.Join(c.stop(), os.RemoveAll(c.Dir)); err != nil {
		return err
	}
	if err := build(nil); err != nil {
		return err
	}
	if err := awaitInotify(); err != nil {
		return err
	}
	starting := time.Now()
	if err := c.start(level); err != nil {
		return errors.Join(fmt.Errorf("cluster %s did not start (its logs are in %s): %w", c.Name, c.path("log"), err), c.stop())
	}
	fmt.Printf("cluster %s is up: started in %.1f s, %.1f s in all\n", c.Name, time.Since(starting).Seconds(), time.Since(began).Seconds())
	c.printUse()
	return nil
}

// problem is what keeps a running cluster from being used as it is.
func (c *Cluster) problem(r *record, level string) error {
	if broken, err := os.ReadFile(c.path("broken")); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New(string(broken)), err)
	}
	if r.Level != level {
		return fmt.Errorf("it runs as %s, and %s is asked for", r.Level, level)
	}
	if text, err := os.ReadFile(c.path("ready")); err != nil || len(text) == 0 {
		return errors.New("its start never finished")
	}
	checks := [][]string{{"get", "--raw=/readyz"}}
	if level == levelFull {
		checks = append(checks, []string{"wait", "--for=condition=Ready", "--timeout=5s", "node/" + nodeName})
	}
	for _, check := range checks {
		// On a busy machine, one answer may be late.
		err := until(10*time.Second, func() error {
			command := exec.Command(work("bin", "cluster"), append([]string{"exec", c.Name, "kubectl"}, check...)...)
			if out, err := command.CombinedOutput(); err != nil {
				return fmt.Errorf("kubectl %s: %w: %s", strings.Join(check, " "), err, out)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// start brings the cluster up in new namespaces and returns when it is ready.
func (c *Cluster) start(level string) error {
	if err := errors.Join(bridgeFilter(), c.writeConfig(), c.pki(), c.makeCgroups()); err != nil {
		return err
	}
	log, err := os.Create(c.path("log", "cluster.log"))
	if err != nil {
		return err
	}
	gate, open, err := os.Pipe()
	if err != nil {
		return err
	}
	progress, report, err := os.Pipe()
	if err != nil {
		return err
	}
	init := exec.Command(work("bin", "cluster"), "init", c.Name, level)
	init.Stdout, init.Stderr = log, log
	init.ExtraFiles = []*os.File{gate, report}
	init.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if err := init.Start(); err != nil {
		return fmt.Errorf("make namespaces (this needs root): %w", err)
	}
	go init.Wait() // so that its end is seen as one
	report.Close()
	started, _ := startTime(init.Process.Pid)
	if err := c.save(record{init.Process.Pid, started, level}); err != nil {
		return err
	}
	// Only now may it do anything: from here on `cluster down` knows whom to end.
	if _, err := open.Write([]byte{1}); err != nil {
		return err
	}
	began := time.Now()
	err = follow(progress, func(step string) { fmt.Printf("  %5.1f s  %s\n", time.Since(began).Seconds(), step) })
	if err != nil {
		return err
	}
	return writeFile(c.path("ready"), time.Now().Format(time.RFC3339)+"\n", 0o600)
}

// writeConfig lays out the cluster's folder.
func (c *Cluster) writeConfig() error {
	for _, folder := range []string{"log", "dns", "pki"} {
		if err := os.MkdirAll(c.path(folder), 0o700); err != nil {
			return err
		}
	}
	return fs.WalkDir(config, "config", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := config.ReadFile(path)
		if err != nil {
			return err
		}
		return writeFile(c.path(path), strings.ReplaceAll(string(text), "${CGROUP}", c.cgroup()), 0o600)
	})
}

func (c *Cluster) printUse() {
	fmt.Printf(`
  e2e/kubectl get nodes            kubectl, as admin (CLUSTER=NAME for another cluster than "default")
  e2e/helm list                    helm
  %s/log   every part's log, and the API server's audit log
  make cluster-down                ends it and leaves nothing
`, c.Dir)
}
