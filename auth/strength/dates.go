package strength

// The costs of years and dates, in tenths of a bit. A year is one of about a hundred, of which
// recent ones are more likely. A date adds one of 366 days, and possibly one of four separators.
const (
	costYear  = 60
	costDate  = 150
	costSigns = 20
)

// dates adds years from 1900 to 2099, and dates of day, month and year in the common orders, with
// or without separators.
func (s *search) dates() {
	n := len(s.raw)
	for from := range n {
		if year, ok := s.number(from, from+4); ok && year >= 1900 && year <= 2099 {
			s.offer(from, from+4, costYear, pattern)
		}
		for to := from + 6; to <= min(n, from+10); to++ {
			if s.isPlainDate(from, to) {
				s.offer(from, to, costDate, pattern)
			}
			if s.isSignedDate(from, to) {
				s.offer(from, to, costDate+costSigns, pattern)
			}
		}
	}
}

// number parses one to four ASCII digits.
func (s *search) number(from, to int) (n int, ok bool) {
	if to > len(s.raw) || to-from < 1 || to-from > 4 {
		return 0, false
	}
	for _, r := range s.raw[from:to] {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = 10*n + int(r-'0')
	}
	return n, true
}

// isPlainDate accepts 311299, 31121999 and the other orders.
func (s *search) isPlainDate(from, to int) bool {
	switch to - from {
	case 6:
		return s.isDate(from, from+2, from+2, from+4, from+4, to)
	case 8:
		return s.isDate(from, from+2, from+2, from+4, from+4, to) ||
			s.isDate(from, from+4, from+4, from+6, from+6, to)
	}
	return false
}

// isSignedDate accepts dates with separators, such as 31.12.1999 and 1/2/99.
func (s *search) isSignedDate(from, to int) bool {
	for i := from + 1; i <= min(from+4, to-4); i++ {
		sign := s.raw[i]
		if sign != '.' && sign != '-' && sign != '/' && sign != ' ' && sign != '_' {
			continue
		}
		for j := i + 2; j <= min(i+3, to-2); j++ {
			if s.raw[j] == sign && s.isDate(from, i, i+1, j, j+1, to) {
				return true
			}
		}
	}
	return false
}

// isDate reports whether three numbers are a date, with the year first or last.
func (s *search) isDate(a, b, c, d, e, f int) bool {
	x, okX := s.number(a, b)
	y, okY := s.number(c, d)
	z, okZ := s.number(e, f)
	if !okX || !okY || !okZ {
		return false
	}
	return isYear(z, f-e) && isDay(x, b-a, y, d-c) || isYear(x, b-a) && isDay(z, f-e, y, d-c)
}

func isYear(n, digits int) bool { return digits == 2 || digits == 4 && n >= 1900 && n <= 2099 }

// isDay reports whether two numbers with their digits are a day and a month, in either order.
func isDay(x, digitsX, y, digitsY int) bool {
	return digitsX <= 2 && digitsY <= 2 && x >= 1 && y >= 1 && x <= 31 && y <= 31 &&
		(x <= 12 || y <= 12)
}
