package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Levels of a cluster: everything, or etcd, API server and controller manager alone for tests that need no node.
const (
	levelFull         = "full"
	levelControlPlane = "control-plane"
)

func levelOf(controlPlane bool) string {
	if controlPlane {
		return levelControlPlane
	}
	return levelFull
}

// Cluster is the part of a cluster that is on disk; whether it runs, its record tells.
type Cluster struct {
	Name string
	// Dir holds logs, keys and kubeconfigs, and what tests tell the internet's DNS.
	Dir string
	// held is the lock, kept so that it isn't closed before the command ends.
	held *os.File
}

// record names the process that is a running cluster. A PID alone could be another's by now, so the start time
// (in clock ticks since boot, proc_pid_stat(5)) goes with it.
type record struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	Level     string `json:"level"`
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// work is the folder that holds all that is built and run: the one above this binary's.
func work(elem ...string) string {
	self, err := os.Executable()
	if err != nil {
		panic(err) // /proc/self/exe is there whenever a process is
	}
	return filepath.Join(append([]string{filepath.Dir(filepath.Dir(self))}, elem...)...)
}

// root is the repository's.
func root() string { return work("..", "..") }

func open(name string) (*Cluster, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a cluster: 1 to 32 of a-z, 0-9 and -, with no - at an end", name)
	}
	return &Cluster{Name: name, Dir: work("clusters", name)}, nil
}

// all lists the clusters that have a folder, running or not.
func all() ([]*Cluster, error) {
	entries, err := os.ReadDir(work("clusters"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var clusters []*Cluster
	for _, entry := range entries {
		if c, err := open(entry.Name()); err == nil {
			clusters = append(clusters, c)
		}
	}
	return clusters, nil
}

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// lock keeps two commands from starting and ending the same cluster at once. The file stands beside the folder, so that
// removing the folder keeps the lock.
func (c *Cluster) lock() (err error) {
	c.held, err = exclusive(c.lockFile())
	return err
}

// exclusive waits until nobody else holds the lock that is this file. It is held until the file is closed; the kernel
// does that when this process ends, however it ends.
func exclusive(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			fmt.Printf("waiting for another command of this checkout, which holds %s\n", path)
			err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			return nil, err
		}
		// Who held it before may have removed the file: then this lock is on nothing, and another can take the real one.
		held, err := file.Stat()
		if err != nil {
			return nil, err
		}
		if named, err := os.Stat(path); err == nil && os.SameFile(held, named) {
			return file, nil
		}
		file.Close()
	}
}

func (c *Cluster) lockFile() string { return c.Dir + ".lock" }

func (c *Cluster) save(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("record.json"), text, 0o600)
}

// running is the record of the cluster's process, or nil when there is none that lives.
func (c *Cluster) running() (*record, error) {
	text, err := os.ReadFile(c.path("record.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var r record
	// A record cut short was never acted on: init waits for it to be whole.
	if json.Unmarshal(text, &r) != nil {
		return nil, nil
	}
	if started, alive := startTime(r.PID); !alive || started != r.StartTime {
		return nil, nil
	}
	return &r, nil
}

// runningOrError is the record of a cluster that something is to be done with.
func (c *Cluster) runningOrError() (*record, error) {
	r, err := c.running()
	if err == nil && r == nil {
		err = fmt.Errorf("cluster %s does not run: start it with `make cluster`", c.Name)
	}
	return r, err
}

// startTime reads when a process started, and whether it lives. A zombie doesn't, but only once its other threads have
// ended too: till then it still ends what is in its PID namespace.
func startTime(pid int) (uint64, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the command in parentheses, which may hold anything: what follows its end is fixed.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "X" || fields[0] == "Z" && fields[17] == "1" {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}

// cgroup is the name of the cluster's cgroup, the same for every hierarchy and no other checkout's.
func (c *Cluster) cgroup() string {
	sum := sha256.Sum256([]byte(c.Dir))
	return fmt.Sprintf("postern-e2e-%s-%x", c.Name, sum[:4])
}
