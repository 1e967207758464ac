package host

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"greenagent/energy"
)

// The thermal design power of processors as Intel (ARK) and AMD specify it, the
// number of logical CPUs of one, and the year it came out. TDP is where a
// processor's maker has it settle under a heavy load, not what it draws.
//
// EPYC 9005, most of 9004, and Xeon since the 4th generation were taken from
// copies of the makers' tables (CodeCarbon's cpu_dataset_builder). The rest was
// written down from general knowledge and not checked row by row: Ice Lake and
// older Xeons, EPYC 8004 and before, desktop parts, and the OEM part 8480C.
//
//go:embed tdp.csv
var tdpTable string

// Watts per logical CPU, idle and at full load, by microarchitecture, of the
// servers in SPECpower_ssj2008: github.com/cloud-carbon-footprint/ccf-coefficients,
// output/coefficients-aws-use.csv (2026). They are whole servers' watts, memory
// and power supply included. EPYC's 5th generation is left out: the few results
// there are put it at twice any other.
//
//go:embed architecture.csv
var architectureTable string

// processor is a row of the TDP table.
type processor struct {
	model   string
	tdp     energy.Power
	threads int
}

// architecture is a row of the table of microarchitectures.
type architecture struct {
	name       string
	idle, full energy.Power // of one logical CPU
}

// rows calls yield with the columns of each row of an embedded table, whose
// first line has their names, until it returns false. There is no quoting.
func rows(table string, columns int, yield func(row []string) bool) {
	_, table, _ = strings.Cut(table, "\n")
	row := make([]string, 0, columns)
	for line := range strings.Lines(table) {
		row = row[:0]
		for cell := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), ",") {
			row = append(row, cell)
		}
		if len(row) == columns && !yield(row) {
			return
		}
	}
}

// findProcessor looks a processor up by what /proc/cpuinfo calls it. The words
// of a row's model must stand together in the name, so that "Gold 6330" is not
// found in "Gold 6330N". The text of the table is searched as it is: a program
// that never needs the model pays nothing.
func findProcessor(name string) (p processor, ok bool) {
	words := modelWords(name)
	rows(tdpTable, 5, func(row []string) bool {
		if !containsRun(words, row[0]) {
			return true
		}
		watts, err1 := strconv.Atoi(row[1])
		threads, err2 := strconv.Atoi(row[2])
		p = processor{strings.Clone(row[0]), energy.Power(watts) * energy.Watt, threads}
		ok = err1 == nil && err2 == nil && watts > 0 && threads > 0
		return false
	})
	return p, ok
}

// modelWords reduces "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz" to its words
// intel, xeon, gold, 6338.
func modelWords(name string) []string {
	name, _, _ = strings.Cut(strings.ToLower(name), "@")
	name = strings.NewReplacer("(r)", " ", "(tm)", " ", "®", " ", "™", " ").Replace(name)
	return slices.DeleteFunc(strings.Fields(name), func(w string) bool {
		return w == "cpu" || w == "processor" || strings.HasSuffix(w, "-core")
	})
}

// containsRun reports whether the words of run follow each other in words.
func containsRun(words []string, run string) bool {
	for i := range words {
		rest, j := run, i
		for ; j < len(words); j++ {
			word, after, more := strings.Cut(rest, " ")
			if !strings.EqualFold(word, words[j]) {
				break
			}
			if !more {
				return true
			}
			rest = after
		}
	}
	return false
}

// findArchitecture looks a processor up by its identification, which a
// hypervisor passes on where it hides the name. Of rows with the same model, the
// first whose stepping is reached counts.
func findArchitecture(f *Facts) (a architecture, ok bool) {
	rows(architectureTable, 7, func(row []string) bool {
		if row[1] != f.Vendor || row[2] != strconv.Itoa(f.Family) || row[3] != strconv.Itoa(f.Model) {
			return true
		}
		if stepping, err := strconv.Atoi(row[4]); err != nil || f.Stepping < stepping {
			return true
		}
		idle, err1 := strconv.ParseFloat(row[5], 64)
		full, err2 := strconv.ParseFloat(row[6], 64)
		a = architecture{strings.Clone(row[0]), energy.FromWatts(idle), energy.FromWatts(full)}
		ok = err1 == nil && err2 == nil
		return false
	})
	return a, ok
}
