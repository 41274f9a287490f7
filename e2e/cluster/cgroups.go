package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// hierarchies lists where cgroups are mounted: one place for cgroup v2, one for each controller with v1.
func hierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") {
			found = append(found, f[1])
		}
	}
	return found, nil
}

// makeCgroups makes the cgroup below which the kubelet puts every pod.
func (c *Cluster) makeCgroups() error {
	roots, err := hierarchies()
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, c.cgroup()), 0o755); err != nil {
			return err
		}
	}
	return err
}

// removeCgroups removes the cluster's cgroups, innermost first. Its processes have ended, but the kernel may need a
// moment to count them out.
func (c *Cluster) removeCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		var groups []string
		err := filepath.WalkDir(filepath.Join(root, c.cgroup()), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, group := range slices.Backward(groups) {
			err := until(10*time.Second, func() error {
				if err := syscall.Rmdir(group); !errors.Is(err, syscall.ENOENT) {
					return err
				}
				return nil
			})
			if err != nil {
				return &fs.PathError{Op: "rmdir", Path: group, Err: err}
			}
		}
	}
	return nil
}
