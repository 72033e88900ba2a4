package email_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"dorado/plugins/alert"
	"dorado/plugins/alert/email"
	"dorado/plugins/form"
)

// box is a mail server that keeps what it gets. Its accounts are ann with password hunter2.
type box struct {
	mu     sync.Mutex
	mails  []received
	noAuth bool
}

type received struct {
	from string
	to   []string
	text []byte
}

func (b *box) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &session{box: b, in: b.noAuth}, nil
}

type session struct {
	box *box
	in  bool
	got received
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ann" || password != "hunter2" {
			return errors.New("who are you?")
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	s.got.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.got.to = append(s.got.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.got.text = text
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, s.got)
	return err
}

func (s *session) Reset()        { s.got = received{} }
func (s *session) Logout() error { return nil }

// serve starts a mail server and returns its settings.
func serve(t *testing.T, b *box, secured, implicit bool) form.Flat {
	t.Helper()
	server := smtp.NewServer(b)
	server.Domain, server.AllowInsecureAuth = "localhost", true
	server.ErrorLog = quiet{}
	if secured {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if implicit {
		l = tls.NewListener(l, server.TLSConfig)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	host, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return form.Flat{
		"receivers": "bob@example.org, 李 <li@example.org>", "receiverCcs": "eve@example.org", "sender": "Dorado <dorado@example.org>",
		"serverHost": host, "serverPort": port, "User": "ann", "Password": "hunter2",
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// certificate is one that nobody trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func message() alert.Message {
	return alert.Message{Key: "7:1:X:0", Title: "每日 failed\r\nBcc: x@example.org", Content: `[{"task":"<b>a</b>","n":1.5},{"n":2,"more":"中文"}]`, At: time.Unix(1700000000, 0)}
}

// body decodes the parts of a mail: the text, and attachments by name.
func body(t *testing.T, raw []byte) (head mail.Header, text string, files map[string][]byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	files = map[string][]byte{}
	if !strings.HasPrefix(kind, "multipart/") {
		return m.Header, plain(t, m.Header.Get("Content-Transfer-Encoding"), m.Body), files
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, text, files
		}
		require.NoError(t, err)
		content := plain(t, p.Header.Get("Content-Transfer-Encoding"), p)
		if _, how, err := mime.ParseMediaType(p.Header.Get("Content-Disposition")); err == nil {
			name, err := new(mime.WordDecoder).DecodeHeader(how["filename"])
			require.NoError(t, err)
			files[name] = []byte(content)
		} else {
			text = content
		}
	}
}

func TestAMailArrivesWithATable(t *testing.T) {
	t.Parallel()
	b := &box{}
	settings := serve(t, b, false, false)
	answer, err := email.Plugin().Deliver(t.Context(), settings, message())
	require.NoError(t, err)
	require.Equal(t, "email send success.", answer)
	require.Len(t, b.mails, 1)
	require.Equal(t, "dorado@example.org", b.mails[0].from)
	require.Equal(t, []string{"bob@example.org", "li@example.org", "eve@example.org"}, b.mails[0].to)
	head, text, _ := body(t, b.mails[0].text)
	subject, err := new(mime.WordDecoder).DecodeHeader(head.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, "每日 failed  Bcc: x@example.org", subject, "a title is one line")
	require.Empty(t, head.Get("Bcc"))
	require.Equal(t, "<7.1.X.0@example.org>", head.Get("Message-Id"), "the same for every attempt")
	require.Contains(t, text, "<th>task</th><th>n</th><th>more</th>")
	require.Contains(t, text, "<tr><td>&lt;b&gt;a&lt;/b&gt;</td><td>1.5</td><td></td></tr><tr><td></td><td>2</td><td>中文</td></tr>")
}

func TestAWorkbookHoldsEveryRow(t *testing.T) {
	t.Parallel()
	b := &box{}
	settings := serve(t, b, false, false)
	settings["showType"] = "table attachment"
	m := message()
	m.Title = "报表"
	rows := make([]string, 0, 1500)
	for i := range 1500 {
		rows = append(rows, `{"n":`+strconv.Itoa(i)+`,"formula":"=1+1","big":12345678901234567890}`)
	}
	m.Content = "[" + strings.Join(rows, ",") + "]"
	_, err := email.Plugin().Deliver(t.Context(), settings, m)
	require.NoError(t, err)
	_, text, files := body(t, b.mails[0].text)
	require.Equal(t, 1000, strings.Count(text, "<tr><td>"), "the message shows the beginning")
	f, err := excelize.OpenReader(bytes.NewReader(files["报表.xlsx"]))
	require.NoError(t, err)
	cells, err := f.GetRows("Sheet1")
	require.NoError(t, err)
	require.Len(t, cells, 1501)
	require.Equal(t, []string{"n", "formula", "big"}, cells[0])
	require.Equal(t, []string{"1499", "=1+1", "12345678901234567890"}, cells[1500])
	formula, err := f.GetCellFormula("Sheet1", "B2")
	require.NoError(t, err)
	require.Empty(t, formula, "what looks like a formula is a text")
	require.NoError(t, f.Close())
}

func TestEncryptionIsWhatTheSettingsAskFor(t *testing.T) {
	t.Parallel()
	for _, implicit := range []bool{false, true} {
		b := &box{}
		settings := serve(t, b, true, implicit)
		settings["starttlsEnable"], settings["sslEnable"] = strconv.FormatBool(!implicit), strconv.FormatBool(implicit)
		_, err := email.Plugin().Deliver(t.Context(), settings, message())
		require.ErrorContains(t, err, "certificate", "nobody knows this one")
		settings["smtpSslTrust"] = "*"
		_, err = email.Plugin().Deliver(t.Context(), settings, message())
		require.NoError(t, err)
		require.Len(t, b.mails, 1)
	}
	b := &box{}
	settings := serve(t, b, false, false)
	settings["starttlsEnable"] = "true"
	_, err := email.Plugin().Deliver(t.Context(), settings, message())
	require.ErrorContains(t, err, "STARTTLS")
	require.Empty(t, b.mails, "nothing goes in the clear that was to be encrypted")
}

func TestAServerThatRefusesSaysWhat(t *testing.T) {
	t.Parallel()
	b := &box{}
	settings := serve(t, b, false, false)
	settings["Password"] = "letmein99"
	_, err := email.Plugin().Deliver(t.Context(), settings, message())
	require.ErrorContains(t, err, "sign in")
	require.NotContains(t, err.Error(), "letmein99")

	settings["Password"], settings["receivers"] = "hunter2", "bob@example.org,nobody1@example.org,nobody2@example.org"
	_, err = email.Plugin().Deliver(t.Context(), settings, message())
	require.ErrorContains(t, err, "nobody1@example.org")
	require.ErrorContains(t, err, "nobody2@example.org")
	require.Empty(t, b.mails)

	open := &box{noAuth: true}
	settings = serve(t, open, false, false)
	settings["enableSmtpAuth"] = "false"
	_, err = email.Plugin().Deliver(t.Context(), settings, message())
	require.NoError(t, err)
}

func TestAServerThatStallsIsLeft(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c // and says nothing
		}
	}()
	settings := serve(t, &box{}, false, false)
	_, settings["serverPort"], err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c := <-accepted
		cancel()
		_, _ = io.ReadAll(c)
	}()
	_, err = email.Plugin().Deliver(ctx, settings, message())
	require.ErrorIs(t, err, context.Canceled)
}

func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	good := form.Flat{"receivers": "a@b.c", "serverHost": "h", "sender": "d@e.f", "enableSmtpAuth": "false"}
	_, problems := email.Plugin().Decode(good)
	require.Empty(t, problems)
	for field, value := range map[string]string{"receivers": "a@b.c, nonsense", "receiverCcs": "x@y\r\nBcc: z@z.z", "sender": "a@b.c,d@e.f", "serverPort": "0"} {
		bad := good.Clone()
		bad[field] = value
		_, problems := email.Plugin().Decode(bad)
		require.Len(t, problems, 1, field)
		require.Equal(t, field, problems[0].Field)
	}
}
