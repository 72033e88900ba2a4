package cron

// Words describes the expression in "en" or "zh".
func (e *Expr) Words(lang string) string { return describe(e, lang == "zh") }
