// Cost says what greenagent's sampling of GPUs costs, in CPU time, beside a driver
// that answers at once (driver/null.c): what is left is greenagent's own, the cgo
// calls included. It needs a C compiler and no GPU, and runs in real time.
//
//	go run ./bench/cost
//
// What it is compared with is measured in the same process, in turns: a program
// that only wakes up as often, and one that only reads the sensors every 20 ms.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	gpus, processes int
	warm, length    time.Duration
	times           int
}

func main() {
	o := options{}
	flag.IntVar(&o.gpus, "gpus", 8, "`number` of GPUs")
	flag.IntVar(&o.processes, "processes", 12, "`number` of processes, dealt out to them; the first GPUs are shared")
	flag.DurationVar(&o.warm, "warm", 5*time.Second, "`time` before measuring, in which the ticks are found")
	flag.DurationVar(&o.length, "for", 10*time.Second, "`time` of one measurement")
	flag.IntVar(&o.times, "times", 5, "`number` of measurements of each kind")
	flag.Parse()
	runtime.GOMAXPROCS(1) // as in cmd/greenagent
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	folder, err := os.MkdirTemp("", "greenagent-cost-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	library, err := build(ctx, folder)
	if err != nil {
		return err
	}
	rows, err := measure(ctx, library, o)
	if err != nil {
		return err
	}
	table(out, o, rows)
	rss, err := resident()
	fmt.Fprintf(out, "\nResident memory at the most: %s\n", rss)
	return err
}

// measure measures each kind in turns and returns what they took, by kind.
func measure(ctx context.Context, library string, o options) ([][]spent, error) {
	pids, stop, err := crowd(ctx, o.processes)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := describe(o.gpus, pids); err != nil {
		return nil, err
	}
	rows := make([][]spent, len(kinds))
	for range o.times {
		for i, k := range kinds {
			s, err := k.measure(ctx, library, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
			rows[i] = append(rows[i], s)
		}
	}
	return rows, nil
}

func table(out io.Writer, o options, rows [][]spent) {
	fmt.Fprintf(out, "%d GPUs, %d processes on them; median of %d × %v, smallest and largest\n\n", o.gpus, o.processes, o.times, o.length)
	fmt.Fprintln(out, "| | CPU, of a core | looks/s | readings/s | allocations/s |\n|---|---|---|---|---|")
	for i, k := range kinds {
		list := rows[i]
		slices.SortFunc(list, func(a, b spent) int { return cmp.Compare(a.percent(), b.percent()) })
		least, middle, most := list[0], list[len(list)/2], list[len(list)-1]
		fmt.Fprintf(out, "| %s | %.2f %% (%.2f to %.2f) | %.0f | %.0f | %.1f |\n", k.name, middle.percent(), least.percent(), most.percent(),
			middle.each(middle.looks), middle.each(middle.readings), middle.each(middle.allocations))
	}
}

// build compiles the driver.
func build(ctx context.Context, folder string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		return "", fmt.Errorf("locate nvml.h: %w", err)
	}
	source := folder + "/null.c"
	if err := os.WriteFile(source, driver, 0o600); err != nil {
		return "", err
	}
	library := folder + "/libnvidia-ml.so.1"
	cc := exec.CommandContext(ctx, "cc", "-O2", "-shared", "-fPIC", "-DNVML_NO_UNVERSIONED_FUNC_DEFS=1", "-w",
		"-Wl,-soname,libnvidia-ml.so.1", "-Wl,-z,nodelete", "-I"+strings.TrimSpace(string(out))+"/pkg/nvml", "-o", library, source)
	if out, err := cc.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the driver: %w\n%s", err, out)
	}
	return library, nil
}

// crowd starts processes that do nothing.
func crowd(ctx context.Context, n int) (pids []int, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var list []*exec.Cmd
	stop = func() {
		cancel()
		for _, c := range list {
			_ = c.Wait() // it was killed
		}
	}
	for range n {
		c := exec.CommandContext(ctx, "sleep", "1000000")
		if err := c.Start(); err != nil {
			stop()
			return nil, nil, err
		}
		list = append(list, c)
		pids = append(pids, c.Process.Pid)
	}
	return pids, stop, nil
}

// describe tells the driver what there is.
func describe(gpus int, pids []int) error {
	if gpus < 1 {
		return errors.New("-gpus: want one at least")
	}
	on := make([][]string, gpus)
	for i, pid := range pids {
		on[i%gpus] = append(on[i%gpus], strconv.Itoa(pid))
	}
	var words []string
	for _, list := range on {
		words = append(append(words, list...), "0")
	}
	return errors.Join(os.Setenv("COST_GPUS", strconv.Itoa(gpus)), os.Setenv("COST_PIDS", strings.Join(words, " ")))
}

// resident returns the largest resident memory so far.
func resident() (string, error) {
	status, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "unknown", err
}
