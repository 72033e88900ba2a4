package access

// Remembered is how many decisions the present snapshot remembers.
func (s *Service) Remembered() (n int) {
	s.current.Load().decided.Range(func(any, any) bool { n++; return true })
	return n
}
