package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// How many instances of inotify a cluster holds once its pods run. The machine has few for all that a user runs: 128, unless
// fs.inotify.max_user_instances says otherwise.
const inotifyInstances = 13

// awaitInotify waits until a cluster would find the instances of inotify that it needs. Without them a kubelet ends at its start.
func awaitInotify() error {
	told := false
	return until(10*time.Minute, func() error {
		err := takeInotify()
		if err != nil && !told {
			fmt.Printf("waiting for what other clusters hold: %s\n", err)
			told = true
		}
		return err
	})
}

// takeInotify takes as many instances as a cluster needs, and gives them back.
func takeInotify() (err error) {
	var taken []int
	defer func() {
		for _, instance := range taken {
			err = errors.Join(err, syscall.Close(instance))
		}
	}()
	for len(taken) < inotifyInstances {
		instance, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if err != nil {
			return fmt.Errorf("the machine has %d instances of inotify left, and a cluster needs %d; end other clusters, or raise "+
				"fs.inotify.max_user_instances: %w", len(taken), inotifyInstances, err)
		}
		taken = append(taken, instance)
	}
	return nil
}
