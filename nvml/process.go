//go:build linux && cgo

package nvml

import (
	"fmt"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	driver "github.com/NVIDIA/go-nvml/pkg/nvml"
)

// linked is the library this process is bound to. It is package-level because
// it is a fact about the process: the dynamic linker resolves go-nvml's calls
// once and for good, to the first library loaded, and neither unloading it nor
// loading a second one changes what they reach.
var linked struct {
	sync.Mutex
	path    string
	api     driver.Interface
	symbols *symbols
}

// starting admits one start of NVML at a time. A start that hangs keeps it, so
// that trying again and again does not pile up stuck threads.
var starting = make(chan struct{}, 1)

// load binds the process to the library at path, the first time, and finds its
// symbols.
func load(path string) (driver.Interface, *symbols, error) {
	linked.Lock()
	defer linked.Unlock()
	switch linked.path {
	case path:
		return linked.api, linked.symbols, nil
	case "":
	default:
		return nil, nil, fmt.Errorf("nvml: open %s: the process is bound to %s: %w", path, linked.path, ErrVersionMismatch)
	}

	// First without offering its symbols to the process: once that is done
	// with a wrong library, the right one is out of reach.
	probe := dl.New(path, dl.RTLD_LAZY|dl.RTLD_LOCAL)
	if err := probe.Open(); err != nil {
		return nil, nil, fmt.Errorf("nvml: open: %w: %w", err, ErrAbsent)
	}
	defer probe.Close() // the count of references only, where the next lines kept it
	if probe.Lookup("nvmlInit_v2") != nil && probe.Lookup("nvmlInit") != nil {
		return nil, nil, fmt.Errorf("nvml: open %s: not an NVML library: no nvmlInit: %w", path, ErrAbsent)
	}

	// NODELETE: go-nvml closes the library on the last Shutdown, and the next
	// one would be mapped elsewhere than its calls are bound to. With it, the
	// reference that go-nvml leaks on a failing Init costs nothing either.
	if err := dl.New(path, dl.RTLD_LAZY|dl.RTLD_GLOBAL|dl.RTLD_NODELETE).Open(); err != nil {
		return nil, nil, fmt.Errorf("nvml: open: %w: %w", err, ErrAbsent)
	}
	found, err := find()
	if err != nil {
		return nil, nil, fmt.Errorf("nvml: open %s: %w: %w", path, err, ErrAbsent)
	}
	linked.path, linked.api, linked.symbols = path, driver.New(driver.WithLibraryPath(path)), found
	return linked.api, linked.symbols, nil
}
