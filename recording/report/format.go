package report

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// Times on the page are in UTC: it is read elsewhere than it was made.
const (
	timeOnly    = "15:04:05.000"
	dayAndTime  = "2 Jan 15:04:05.000"
	dateAndTime = "2 January 2006, 15:04:05 UTC"
)

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// duration words d with three digits that say something.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "−" + duration(-d)
	case d == 0:
		return "0"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 10*time.Millisecond:
		return fixed(d, time.Millisecond, 2) + " ms"
	case d < 100*time.Millisecond:
		return fixed(d, time.Millisecond, 1) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return fixed(d, time.Second, 2) + " s"
	case d < time.Minute:
		return fixed(d, time.Second, 1) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func fixed(d, unit time.Duration, digits int) string {
	return strconv.FormatFloat(float64(d)/float64(unit), 'f', digits, 64)
}

// number groups the digits of n by three.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func size(n int) string {
	switch {
	case n < 1<<10:
		return count(n, "byte", "bytes")
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
}

// fragment is the address of an anchor on the page, whatever is in its name.
func fragment(anchor string) string {
	return "#" + strings.ReplaceAll(url.PathEscape(anchor), "'", "%27")
}

// anchor is the name of an event's place on the page. White space cannot be in one.
func anchor(id string) string {
	return "event-" + strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, id)
}

// image names what a change is about as clients write it.
func image(c events.Change) string {
	name := c.Repository
	if c.Registry != "" {
		name = c.Registry + "/" + name
	}
	if c.Tag != "" && c.Kind != events.ImageDeleted {
		name += ":" + c.Tag
	}
	return name
}
