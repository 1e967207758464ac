package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"greenagent/energy"
)

// WritePowercap writes what the kernel's RAPL driver shows at t into root, which
// stands for /sys: a zone for each package with its core and dram subzones, and
// psys where the node has it. Counters started at 0 when the machine booted, idle.
// Called again with a later t it brings the counters up to date.
func (n *Node) WritePowercap(root string, t time.Duration) error {
	boot := -n.Since()
	var all energy.Energy
	for i := range n.CPU.Packages {
		p := &n.CPU.Packages[i]
		zone := fmt.Sprintf("intel-rapl:%d", i)
		pkg, dram := n.PackageEnergy(i, boot, t), n.DRAMEnergy(i, boot, t)
		all += pkg + dram
		if err := writeZone(root, zone, "", fmt.Sprintf("package-%d", i), pkg, p.wrap()); err != nil {
			return err
		}
		sub := 0
		if p.Core {
			uncore := energy.Energy(floorArea(p.Idle*2/5, t) - floorArea(p.Idle*2/5, boot))
			if err := writeZone(root, zone+":"+strconv.Itoa(sub), zone, "core", pkg-uncore, p.wrap()); err != nil {
				return err
			}
			sub++
		}
		if p.DRAMMax > 0 {
			if err := writeZone(root, zone+":"+strconv.Itoa(sub), zone, "dram", dram, p.wrap()); err != nil {
				return err
			}
		}
	}
	if n.CPU.Psys > 0 {
		all += energy.Energy(floorArea(n.CPU.Psys, t) - floorArea(n.CPU.Psys, boot))
		wrap := (&Package{}).wrap()
		return writeZone(root, fmt.Sprintf("intel-rapl:%d", len(n.CPU.Packages)), "", "psys", all, wrap)
	}
	return nil
}

// writeZone writes a zone's folder, below its parent's, and its link in
// /sys/class/powercap.
func writeZone(root, zone, parent, name string, e, wrap energy.Energy) error {
	folder := filepath.Join("devices", "virtual", "powercap", "intel-rapl", parent, zone)
	if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
		return err
	}
	class := filepath.Join(root, "class", "powercap")
	if err := os.MkdirAll(class, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join("..", "..", folder), filepath.Join(class, zone)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for file, content := range map[string]string{
		"name":                name,
		"enabled":             "1",
		"energy_uj":           strconv.FormatInt(int64(e%(wrap+1)), 10),
		"max_energy_range_uj": strconv.FormatInt(int64(wrap), 10),
	} {
		if err := overwrite(filepath.Join(root, folder, file), content+"\n"); err != nil {
			return err
		}
	}
	return nil
}
