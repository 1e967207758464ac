package collector_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/process"

	"greenagent/collector"
	"greenagent/collector/procfs"
	"greenagent/energy"
	"greenagent/nvml/sim"
	"greenagent/scenario"
)

func BenchmarkCurve(b *testing.B) {
	b.Run("append", func(b *testing.B) {
		c := collector.NewCurve(4096)
		i := energy.Instant(0)
		b.ReportAllocs()
		for b.Loop() {
			i += 1e8
			c.Append(i, energy.Energy(i))
		}
	})
	b.Run("at", func(b *testing.B) {
		c := collector.NewCurve(4096)
		for i := range energy.Instant(10000) {
			c.Append(i*1e8, energy.Energy(i)*7)
		}
		span := c.Span()
		i := span.Start
		b.ReportAllocs()
		for b.Loop() {
			if i += 123456789; i >= span.End {
				i = span.Start
			}
			c.At(i)
		}
	})
}

// BenchmarkAdd integrates one reading of each kind of sensor.
func BenchmarkAdd(b *testing.B) {
	for _, d := range []scenario.Device{scenario.Hopper("GPU-0"), scenario.Volta("GPU-0"), scenario.Pascal("GPU-0")} {
		b.Run(d.Architecture, func(b *testing.B) {
			d.Loads = []scenario.Load{{PID: 42, Power: scenario.Square(energy.Watt, d.MaxLimit/2, 700*ms, 0.5, 0)}}
			clock := sim.NewClock(at(0))
			source := collector.NewGPUs(sim.New(scenario.Node{Devices: []scenario.Device{d}}, clock, at(0)), nil)
			domain := source.Domains()[0]
			// Readings of ten minutes, taken beforehand.
			var readings []collector.Reading
			g := collector.NewIntegrator(domain, at(0))
			for clock.Now() < at(10*time.Minute) {
				readings, _ = source.Read(readings)
				g.Add(readings[len(readings)-1])
				clock.Advance(g.Cadence(clock.Now()))
			}
			i := len(readings)
			b.ReportAllocs()
			for b.Loop() {
				if i == len(readings) {
					g, i = collector.NewIntegrator(domain, at(0)), 0
				}
				g.Add(readings[i])
				i++
			}
		})
	}
}

// BenchmarkProcesses reads what a division by CPU time needs (start, parent, CPU
// time, memory, name) of every process of a node, with package procfs and with
// gopsutil.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []int{100, 5000} {
		root := b.TempDir()
		node := scenario.Node{CPU: scenario.CPU{LogicalCPUs: 64, MemoryBytes: 1 << 40}}
		for i := range n {
			node.Processes = append(node.Processes, scenario.Process{PID: 100 + i, PPID: 1, Command: []string{"worker"}, CPU: cores(0.01)})
		}
		if err := node.WriteProc(root, time.Minute); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("processes=%d/with=procfs", n), func(b *testing.B) {
			fs := procfs.New(root)
			var pids []int
			var p procfs.Process
			b.ReportAllocs()
			for b.Loop() {
				pids, _ = fs.PIDs(pids[:0])
				for _, pid := range pids {
					if err := fs.Read(pid, &p); err != nil {
						b.Fatal(err)
					}
				}
			}
			if len(pids) != n+1 {
				b.Fatalf("%d processes", len(pids))
			}
		})
		b.Run(fmt.Sprintf("processes=%d/with=gopsutil", n), func(b *testing.B) {
			ctx := context.WithValue(context.Background(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: root})
			b.ReportAllocs()
			for b.Loop() {
				pids, err := process.PidsWithContext(ctx)
				if err != nil || len(pids) != n+1 {
					b.Fatalf("%d processes, %v", len(pids), err)
				}
				for _, pid := range pids {
					p := process.Process{Pid: pid}
					if _, err := p.CreateTimeWithContext(ctx); err != nil {
						b.Fatal(err)
					}
					if _, err := p.PpidWithContext(ctx); err != nil {
						b.Fatal(err)
					}
					if _, err := p.TimesWithContext(ctx); err != nil {
						b.Fatal(err)
					}
					if _, err := p.MemoryInfoWithContext(ctx); err != nil {
						b.Fatal(err)
					}
					if _, err := p.NameWithContext(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkTree observes a run of so many processes.
func BenchmarkTree(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprintf("processes=%d", n), func(b *testing.B) {
			processes := []scenario.Process{{PID: 42, PPID: self, CPU: cores(1)}}
			for i := range n - 1 {
				parent := 42
				if i > 100 {
					parent = 100 + i/100
				}
				processes = append(processes, scenario.Process{PID: 100 + i, PPID: parent, CPU: cores(0.01)})
			}
			f := plant(b, processes...)
			f.observe(time.Second)
			b.ReportAllocs()
			for b.Loop() {
				if err := f.tree.Observe(at(f.now), f.usage); err != nil {
					b.Fatal(err)
				}
			}
			if len(f.usage[0].Usage) != n+1 {
				b.Fatalf("%d processes", len(f.usage[0].Usage))
			}
		})
	}
}
