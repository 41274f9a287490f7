package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

func downAll() error {
	clusters, err := all()
	if err != nil {
		return err
	}
	for _, c := range clusters {
		err = errors.Join(err, down(c))
	}
	if len(clusters) == 0 {
		fmt.Println("no cluster to take down")
	}
	return err
}

// down leaves nothing of the cluster. It may be called at any time, any number of times.
func down(c *Cluster) error {
	if err := c.lock(); err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return err
	}
	fmt.Printf("cluster %s is down\n", c.Name)
	return errors.Join(os.RemoveAll(c.Dir), os.Remove(c.lockFile()))
}

// stop ends what runs and removes its cgroups; the files on disk stay. The caller holds the lock.
func (c *Cluster) stop() error {
	r, err := c.running()
	if err != nil {
		return err
	}
	if r != nil {
		// The process is the init of its PID namespace: it becomes a zombie only when all below it are gone.
		if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end process %d of cluster %s: %w", r.PID, c.Name, err)
		}
		err := until(time.Minute, func() error {
			if started, alive := startTime(r.PID); alive && started == r.StartTime {
				return errors.New("it still runs")
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("end process %d of cluster %s: %w", r.PID, c.Name, err)
		}
	}
	if err := c.removeCgroups(); err != nil {
		return err
	}
	return os.RemoveAll(c.path("record.json"))
}

// until calls attempt every few milliseconds till it succeeds; past the limit its last error is the answer.
func until(limit time.Duration, attempt func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		err := attempt()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
