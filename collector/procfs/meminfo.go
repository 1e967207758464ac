package procfs

import "bytes"

// Memory is the node's memory in bytes, as /proc/meminfo counts it.
type Memory struct {
	Total int64 // that the kernel can hand out
	// Available is an estimate of what could be handed out without swapping.
	Available int64
}

// Used returns the memory that cannot be handed out.
func (m Memory) Used() int64 { return max(0, m.Total-m.Available) }

// Memory reads the node's memory from /proc/meminfo.
func (fs *FS) Memory() (Memory, error) {
	fs.at("meminfo")
	text, more, err := fs.read(maxFile)
	switch {
	case err != nil:
		return Memory{}, fs.fail(err)
	case more:
		return Memory{}, fs.fail(ErrTooLarge)
	}
	m, ok := parseMemory(text)
	if !ok {
		return Memory{}, fs.fail(ErrMalformed)
	}
	return m, nil
}

// parseMemory reads lines such as "MemTotal:       24641528 kB", where kB are
// KiB (proc(5)). Kernels before 3.14 have no MemAvailable; there, what is free
// stands in for it.
func parseMemory(text []byte) (Memory, bool) {
	var total, available, free int64 = -1, -1, -1
	for line := range bytes.Lines(text) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		var to *int64
		switch {
		case !ok:
			continue
		case string(name) == "MemTotal":
			to = &total
		case string(name) == "MemAvailable":
			to = &available
		case string(name) == "MemFree":
			to = &free
		default:
			continue
		}
		f := fields{rest: value}
		v := f.signed()
		if f.bad || v < 0 || v > 1<<50 || string(f.next()) != "kB" {
			return Memory{}, false
		}
		*to = v << 10
	}
	if available < 0 {
		available = free
	}
	return Memory{Total: total, Available: available}, total >= 0 && available >= 0
}
