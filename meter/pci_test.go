//go:build linux && cgo

package meter_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// pci is a /sys with GPUs in it.
type pci struct {
	t       *testing.T
	root    string
	folders []string
}

func newPCI(t *testing.T, gpus ...string) *pci {
	t.Helper()
	p := &pci{t: t, root: t.TempDir()}
	for _, address := range gpus {
		folder := filepath.Join(p.root, "bus", "pci", "devices", address)
		if err := errors.Join(
			os.MkdirAll(filepath.Join(folder, "power"), 0o755),
			os.WriteFile(filepath.Join(folder, "vendor"), []byte("0x10de\n"), 0o644),
			os.WriteFile(filepath.Join(folder, "class"), []byte("0x030000\n"), 0o644),
		); err != nil {
			t.Fatal(err)
		}
		p.folders = append(p.folders, folder)
	}
	p.set("active")
	return p
}

// set has the kernel say that of all GPUs.
func (p *pci) set(status string) {
	p.t.Helper()
	for _, folder := range p.folders {
		if err := os.WriteFile(filepath.Join(folder, "power", "runtime_status"), []byte(status+"\n"), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}
