package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// image builds the image of a folder that holds a Containerfile, says how large it is, and loads it into the named
// clusters. The image is called after the folder; what it copies is named from the repository's root.
func image(folder string, clusters []string) error {
	archive, err := buildImage(folder)
	if err != nil {
		return err
	}
	if err := sizes(filepath.Base(folder), archive); err != nil {
		return err
	}
	for _, cluster := range clusters {
		if err := with([]string{cluster}, func(c *Cluster, _ []string) error { return c.load(archive) }); err != nil {
			return err
		}
	}
	return nil
}

// reference is an image's name in a cluster.
func reference(name string) string { return "postern.dev/e2e/" + name + ":latest" }

// buildImage makes the archive of an image with buildah, unless it was made from the very same files. One at a time, since
// all images go through one store, which is emptied after each.
func buildImage(folder string) (archive string, err error) {
	lock, err := exclusive(work("images.lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	name := filepath.Base(folder)
	archive = work("images", name+".tar")
	containerfile := filepath.Join(folder, "Containerfile")
	want, err := imageFingerprint(containerfile)
	if err != nil {
		return "", err
	}
	stamp := archive + ".stamp"
	if have, _ := os.ReadFile(stamp); string(have) == want {
		return archive, nil
	}
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return "", err
	}
	// What an earlier run that was killed left half done.
	if err := errors.Join(os.RemoveAll(work("buildah")), os.RemoveAll(archive+".new")); err != nil {
		return "", err
	}
	store := []string{"--root", work("buildah", "root"), "--runroot", work("buildah", "run"), "--storage-driver", "vfs"}
	for _, step := range [][]string{
		{"build", "--isolation", "chroot", "--timestamp", "0", "--tag", reference(name), "--file", containerfile, root()},
		{"push", reference(name), "oci-archive:" + archive + ".new:" + reference(name)},
		{"rmi", "--all", "--force"},
	} {
		command := exec.Command("buildah", append(step[:1:1], append(store, step[1:]...)...)...)
		command.ExtraFiles = []*os.File{lock} // held as long as it runs, whatever becomes of this process
		if out, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("image %s: buildah %s: %w\n%s", name, step[0], err, out)
		}
	}
	if err := os.Rename(archive+".new", archive); err != nil {
		return "", err
	}
	return archive, writeFile(stamp, want, 0o644)
}

// imageFingerprint is a hash of a Containerfile and all that it copies.
func imageFingerprint(containerfile string) (string, error) {
	text, err := os.ReadFile(containerfile)
	if err != nil {
		return "", err
	}
	want := string(text)
	for line := range strings.Lines(want) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "COPY" {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			sum, err := fingerprint(filepath.Join(root(), source), "")
			if err != nil {
				return "", err
			}
			want += sum
		}
	}
	return want, nil
}

// sizes prints what the image's layers weigh: as a registry would hold them, and as a node unpacks them.
func sizes(name, archive string) error {
	blobs := map[string][]byte{}
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := tar.NewReader(file)
	for header, err := reader.Next(); err != io.EOF; header, err = reader.Next() {
		if err != nil {
			return err
		}
		if blobs[header.Name], err = io.ReadAll(reader); err != nil {
			return err
		}
	}
	type descriptor struct{ Digest string }
	blob := func(d descriptor) []byte { return blobs["blobs/"+strings.Replace(d.Digest, ":", "/", 1)] }
	var index struct{ Manifests []descriptor }
	var manifest struct{ Layers []descriptor }
	if err := json.Unmarshal(blobs["index.json"], &index); err != nil {
		return err
	}
	if err := json.Unmarshal(blob(index.Manifests[0]), &manifest); err != nil {
		return err
	}
	var compressed, unpacked int64
	for _, layer := range manifest.Layers {
		compressed += int64(len(blob(layer)))
		unzip, err := gzip.NewReader(strings.NewReader(string(blob(layer))))
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, unzip)
		if err != nil {
			return err
		}
		unpacked += n
	}
	fmt.Printf("image %-16s %9d bytes compressed %10d bytes unpacked\n", name, compressed, unpacked)
	return nil
}

// load gives an image to the cluster's node.
func (c *Cluster) load(archive string) error {
	r, err := c.runningOrError()
	if err != nil {
		return err
	}
	socket := fmt.Sprintf("/proc/%d/root/run/containerd/containerd.sock", r.PID)
	if out, err := exec.Command(work("bin", "ctr"), "--address", socket, "--namespace=k8s.io", "images", "import", archive).CombinedOutput(); err != nil {
		return fmt.Errorf("load %s into %s: %w\n%s", archive, c.Name, err, out)
	}
	return nil
}
