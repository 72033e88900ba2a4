package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/smtp"
	"slices"
	"strings"
	"time"

	"github.com/go-mail/mail"

	"dorado/app/kit/dial"
	"dorado/app/kit/ids"
	"dorado/plugins/form"
)

const (
	connectTimeout = 10 * time.Second
	totalTimeout   = time.Minute
)

// letter is what is sent.
type letter struct {
	from       *netmail.Address
	to, copies []*netmail.Address
	title      string
	body       string // HTML
	workbook   []byte // nil: none
	key        string
	at         time.Time
}

// server is where it is sent from.
type server struct {
	host           string
	port           int
	auth           bool
	user, password string
	startTLS, tls  bool
	trust          string // hosts whose certificates are not checked, "*" for all
}

func serverOf(v form.Values) server {
	return server{
		host: v.Text("serverHost"), port: int(v.Number("serverPort")), auth: v.Bool("enableSmtpAuth"), user: v.Text("User"),
		password: v.Text("Password"), startTLS: v.Bool("starttlsEnable"), tls: v.Bool("sslEnable"), trust: v.Text("smtpSslTrust"),
	}
}

// send builds the message and hands it to the server. It is the only place that knows go-mail.
func send(ctx context.Context, s server, l letter) error {
	m := mail.NewMessage()
	m.SetHeader("From", m.FormatAddress(l.from.Address, l.from.Name))
	var to, copies []string
	for _, a := range l.to {
		to = append(to, m.FormatAddress(a.Address, a.Name))
	}
	for _, a := range l.copies {
		copies = append(copies, m.FormatAddress(a.Address, a.Name))
	}
	m.SetHeader("To", to...)
	if len(copies) > 0 {
		m.SetHeader("Cc", copies...)
	}
	m.SetHeader("Subject", l.title)
	m.SetDateHeader("Date", l.at)
	m.SetHeader("Message-ID", "<"+messageID(l)+">")
	m.SetBody("text/html", l.body)
	if l.workbook != nil {
		m.Attach(strings.ReplaceAll(l.title, "/", "_")+".xlsx", mail.SetCopyFunc(func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(l.workbook))
			return err
		}), mail.SetHeader(map[string][]string{"Content-Type": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}}))
	}
	var refused error // as it is: go-mail keeps only its text
	err := mail.Send(mail.SendFunc(func(from string, to []string, text io.WriterTo) error {
		refused = s.hand(ctx, from, to, text)
		return refused
	}), m)
	if refused != nil {
		return refused
	}
	return err
}

// messageID is the same for every attempt, so that a mailbox can tell repetitions.
func messageID(l letter) string {
	_, domain, _ := strings.Cut(l.from.Address, "@")
	if l.key == "" {
		return ids.Token() + "@" + domain
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '.'
	}, l.key) + "@" + domain
}

// hand holds the conversation with the server. A receiver that the server refuses means that nobody gets the message.
func (s server) hand(ctx context.Context, from string, to []string, text io.WriterTo) (err error) {
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	conn, err := dial.New(connectTimeout).DialContext(ctx, "tcp", dial.Join(s.host, s.port))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // whoever waits no more ends the conversation
	defer stop()
	defer func() {
		if ctx.Err() != nil && err != nil {
			err = fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}()
	c, err := s.open(ctx, conn)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail(from); err != nil {
		return fmt.Errorf("the server refused the sender: %w", err)
	}
	var refused []error
	for _, a := range to {
		if err := c.Rcpt(a); err != nil {
			refused = append(refused, fmt.Errorf("the server refused %s: %w", a, err))
		}
	}
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("the server refused the message: %w", err)
	}
	if _, err := text.WriteTo(w); err != nil {
		return fmt.Errorf("send the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("the server refused the message: %w", err)
	}
	_ = c.Quit() // it has the message: how the conversation ends does not matter
	return nil
}

// open greets the server, encrypts and signs in, as the settings ask.
func (s server) open(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	if s.tls {
		secured := tls.Client(conn, s.encryption())
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
		conn = secured
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, fmt.Errorf("the server does not greet: %w", err)
	}
	if s.startTLS && !s.tls {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return nil, errors.New("the server offers no STARTTLS, which the settings ask for")
		}
		if err := c.StartTLS(s.encryption()); err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
	}
	if !s.auth {
		return c, nil
	}
	offered, words := c.Extension("AUTH")
	if !offered {
		return nil, errors.New("the server offers no way to sign in")
	}
	if err := c.Auth(s.signIn(strings.Fields(words))); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return c, nil
}

// encryption checks the server's certificate, unless the settings trust it as it is.
func (s server) encryption() *tls.Config {
	c := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	for host := range strings.FieldsFuncSeq(s.trust, func(r rune) bool { return r == ',' || r == ' ' }) {
		if host == "*" || strings.EqualFold(host, s.host) {
			c.InsecureSkipVerify = true // the field says so, and its help what that means
		}
	}
	return c
}

// signIn chooses the best way that the server offers. Whoever switches encryption off sends his password in the clear where
// the server knows nothing better; the help of those fields says so.
func (s server) signIn(offered []string) smtp.Auth {
	has := func(word string) bool {
		return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, word) })
	}
	switch {
	case has("CRAM-MD5") && !s.tls && !s.startTLS:
		return smtp.CRAMMD5Auth(s.user, s.password)
	case has("LOGIN") && !has("PLAIN"):
		return &login{user: s.user, password: s.password}
	default:
		return plain{s.user, s.password}
	}
}

// plain is PLAIN; that of net/smtp refuses connections that are not encrypted.
type plain struct{ user, password string }

// Start begins the exchange.
func (p plain) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + p.user + "\x00" + p.password), nil
}

// Next answers the server.
func (plain) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than name and password")
	}
	return nil, nil
}

// login is LOGIN, which servers of Microsoft know.
type login struct {
	user, password string
	step           int
}

// Start begins the exchange.
func (*login) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers the server.
func (l *login) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	l.step++
	switch l.step {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.password), nil
	default:
		return nil, errors.New("the server asks for more than name and password")
	}
}
