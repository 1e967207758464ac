package prose_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"greenagent/exporter/prose"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want []string
	}{
		{"", 10, nil},
		{" one  two\nthree ", 8, []string{"one two", "three"}},
		{"unbreakable word", 4, []string{"unbreakable", "word"}},
		{"± is one", 5, []string{"± is", "one"}},
	} {
		if got := prose.Wrap(c.text, c.n); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\xff\xfe\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		if p := prose.Printable(s); strings.ContainsAny(p, "\x1b\n\r\a\x00") || !utf8.ValidString(p) {
			t.Errorf("%q became %q", s, p)
		}
		if n := utf8.RuneCountInString(prose.Shorten(s, 10)); n > 10 {
			t.Errorf("shortened to %d characters", n)
		}
	})
}
