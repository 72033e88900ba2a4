package cron

func describe(e *Expr, _ bool) string { return e.String() }
