package main

import (
	"fmt"
	"math"
	"strings"
)

// The plot has a line for each method and a dot on it for each cell, by how wrong
// the method was there at worst; the scale is logarithmic. A bar marks the median.
const (
	width     = 800
	left      = 190 // of the scale
	right     = 770
	lane      = 34 // height of a line
	lowest    = -4 // power of ten at the left end: 0.01 %
	highest   = 1  // at the right end: 1000 %
	headline  = 44
	scaleRoom = 30
)

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 } .scale { font-size: 11px; fill: #777 }
.grid { stroke: #ddd } .dots { stroke: #6b7c93; stroke-opacity: .35 } .bar { stroke: #3d4c60 }
.ours .dots { stroke: #1a8f4c } .ours .bar { stroke: #0b6b35 } .ours text { font-weight: 600; fill: #0b6b35 }
path { fill: none; stroke-width: 5; stroke-linecap: round } .bar { stroke-width: 2.5 } .grid { stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .scale { fill: #999 } .grid { stroke: #3a3f46 }
.dots { stroke: #8fa3bf } .bar { stroke: #c6d3e6 }
.ours .dots { stroke: #3ecf7a } .ours .bar { stroke: #8df0b3 } .ours text { fill: #8df0b3 }
}
</style>
`

// plot draws the results as SVG, on no background, for light pages and dark.
func plot(results []result) []byte {
	var body strings.Builder
	y := 0
	for _, party := range []bool{false, true} {
		y = panel(&body, results, party, y)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`+"\n", width, y)
	b.WriteString("<title>How wrong each method was, cell by cell</title>\n")
	b.WriteString(style + body.String() + "</svg>\n")
	return []byte(b.String())
}

// panel draws the methods for devices or for processes from y down, and returns
// where it ends.
func panel(b *strings.Builder, results []result, party bool, y int) int {
	title := "Energy of the device: largest error in each cell"
	if party {
		title = "Energy of a process: largest error in each cell"
	}
	fmt.Fprintf(b, `<text class="title" x="14" y="%d">%s</text>`+"\n", y+24, title)
	y += headline
	names := methods(party)
	bottom := y + lane*len(names)
	for e := lowest; e <= highest; e++ {
		x := place(math.Pow10(e))
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %dV%d"/><text class="scale" x="%.1f" y="%d" text-anchor="middle">%v %%</text>`+"\n",
			x, y, bottom, x, bottom+16, math.Pow10(e+2))
	}
	for m, name := range names {
		class := "theirs"
		if m == 0 {
			class = "ours"
		}
		middle := y + lane*m + lane/2
		fmt.Fprintf(b, `<g class="%s"><text x="14" y="%d">%s</text><path class="dots" d="`, class, middle+4, name)
		for i := range results {
			if r := &results[i]; (r.party != "") == party && !math.IsNaN(float64(r.of(m))) {
				// Spread out over the line, so that dots do not hide each other.
				fmt.Fprintf(b, "M%.1f %dh0", place(math.Abs(float64(r.of(m)))), middle-9+i*7%19)
			}
		}
		errs := magnitudes(results, func(r *result) bool { return (r.party != "") == party }, m)
		fmt.Fprintf(b, `"/><path class="bar" d="M%.1f %dv26"/></g>`+"\n", place(float64(errs[len(errs)/2])), middle-13)
	}
	return bottom + scaleRoom
}

// place returns where on the scale an error is; what is beyond an end is at it.
func place(e float64) float64 {
	at := (math.Log10(max(e, 1e-9)) - lowest) / (highest - lowest)
	return left + (right-left)*min(max(at, 0), 1)
}
