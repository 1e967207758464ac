// Package prose makes text fit for a terminal: safe to print, short enough, broken
// into lines.
package prose

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable replaces what a terminal would act upon: control characters, escape
// sequences, invalid UTF-8 and marks that reverse the direction of text. Names
// come from hardware and from other people's processes.
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return '\uFFFD'
		}
		return c
	}, s)
}

// Shorten cuts s to at most n characters.
func Shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// Line makes one printable line of text that may have several, of at most n
// characters.
func Line(s string, n int) string {
	return Shorten(Printable(strings.Join(strings.Fields(s), " ")), n)
}

// Wrap breaks text between words into lines of at most n characters, where its
// words allow that; none for empty text.
func Wrap(text string, n int) []string {
	var lines []string
	line, length := "", 0
	for word := range strings.FieldsSeq(text) {
		size := utf8.RuneCountInString(word)
		if length > 0 && length+1+size > n {
			lines = append(lines, line)
			line, length = "", 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+size
	}
	if length > 0 {
		lines = append(lines, line)
	}
	return lines
}
