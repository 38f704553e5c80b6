using System.Net;
using System.Net.Sockets;
using Spindle.Io;

namespace Spindle.UnitTests.Environment;

public abstract partial class RingConformance
{
    public static TheoryData<string> Families => ["ipv4", "ipv6", "unix"];

    private EndPoint EndPointOf(string family)
    {
        if (family == "ipv6" && !Socket.OSSupportsIPv6) Assert.Skip("no IPv6");
        return family switch
        {
            "ipv4" => new IPEndPoint(IPAddress.Loopback, 0),
            "ipv6" => new IPEndPoint(IPAddress.IPv6Loopback, 0),
            _ => new UnixDomainSocketEndPoint(_f.PathOf("socket")),
        };
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void SendsAndReceives(string family)
    {
        var (client, server) = _f.Connect(EndPointOf(family));
        var a = _f.Buffer(1000);
        var b = _f.Buffer(1000);
        new Random(4).NextBytes(a.Span);
        var receive = new TestOperation();
        Assert.Equal(0, _f.Ring.Receive(server, [b], receive));
        _f.Ring.Poll();
        Assert.Equal(0, receive.Completions);
        Assert.Equal(1000, _f.Run(o => _f.Ring.Send(client, [a], o)));
        _f.Until(() => receive.Completions == 1);
        Assert.Equal(1000, receive.Result);
        Assert.True(a.Span.SequenceEqual(b.Span));
        if (family == "unix") return;
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
        Assert.Equal(client.RemoteEndPoint, server.LocalEndPoint);
        Assert.NotEqual(0, ((IPEndPoint)client.LocalEndPoint).Port);
    }

    /// <summary>Both directions at once, each with one send and one receive outstanding, random sizes and vectors: every byte arrives, in order.</summary>
    [Theory, Trait("Category", "Slow")]
    [InlineData("ipv4", 11)]
    [InlineData("unix", 12)]
    public void BothDirectionsSaturatedKeepEveryByteInOrder(string family, int seed)
    {
        const long total = 16 << 20;
        var (client, server) = _f.Connect(EndPointOf(family));
        var pumps = new List<Pump>
        {
            new(_f, client, server, total, seed),
            new(_f, server, client, total, seed + 100),
        };
        foreach (var pump in pumps) pump.Start();
        _f.Until(() => pumps.TrueForAll(p => p.Done), "the transfer", 60);
    }

    [Fact]
    public void ReceiveGivesZeroWhenThePeerCloses()
    {
        var (client, server) = _f.Connect();
        var receive = new TestOperation();
        var buffer = _f.Buffer(100);
        Assert.Equal(0, _f.Ring.Receive(server, [buffer], receive));
        _f.Ring.Poll();
        client.Dispose();
        _f.Until(() => receive.Completions == 1);
        Assert.Equal(0, receive.Result);
        Assert.Equal(0, _f.Run(o => _f.Ring.Receive(server, [buffer], o)));
    }

    [Fact]
    public void ReceiveFailsWhenThePeerResets()
    {
        using var listener = _f.Io.Listen(new IPEndPoint(IPAddress.Loopback, 0));
        var accept = new TestOperation();
        Assert.Equal(0, _f.Ring.Accept(listener, accept));
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        peer.Connect(listener.LocalEndPoint);
        _f.Until(() => accept.Completions == 1);
        var server = _f.Own(accept.Accepted!);
        var receive = new TestOperation();
        Assert.Equal(0, _f.Ring.Receive(server, [_f.Buffer(100)], receive));
        _f.Ring.Poll();
        peer.Close(0);
        _f.Until(() => receive.Completions == 1);
        Assert.Equal(-Errno.ECONNRESET, receive.Result);
    }

    [Fact]
    public void SendToAClosedPeerFails()
    {
        var (client, server) = _f.Connect();
        client.Dispose();
        var buffer = _f.Buffer(100);
        var result = 0;
        for (var i = 0; i < 100 && result >= 0; i++) result = _f.Run(o => _f.Ring.Send(server, [buffer], o));
        Assert.Contains(result, new[] { -Errno.EPIPE, -Errno.ECONNRESET });
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void ShutdownEndsPendingOperations(string family)
    {
        var (client, _) = _f.Connect(EndPointOf(family));
        var receive = new TestOperation();
        var send = new TestOperation();
        var buffer = _f.Buffer(1 << 20);
        Assert.Equal(0, _f.Ring.Receive(client, [_f.Buffer(100)], receive));
        // Fill the connection, so that a send stays pending.
        send.Then = (o, r) =>
        {
            if (r > 0) Assert.Equal(0, _f.Ring.Send(client, [buffer], o));
        };
        Assert.Equal(0, _f.Ring.Send(client, [buffer], send));
        for (var i = 0; i < 50; i++)
        {
            _f.Ring.Poll();
            _f.Ring.Sleep(TimeSpan.FromMilliseconds(1));
        }
        Assert.True(send.IsPending);
        client.Shutdown();
        _f.Until(() => !receive.IsPending && !send.IsPending, "the end of both", 3);
        Assert.True(receive.Result <= 0, $"{receive.Result}");
        Assert.True(send.Result < 0, $"{send.Result}");
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void ShutdownSendEndsOneDirectionAfterWhatWasSent(string family)
    {
        var (client, server) = _f.Connect(EndPointOf(family));
        var (to, back) = (_f.Buffer(100), _f.Buffer(100));
        Assert.Equal(100, _f.Run(o => _f.Ring.Send(server, [_f.Buffer(100)], o)));
        server.ShutdownSend();
        server.ShutdownSend();
        Assert.Equal(100, _f.Run(o => _f.Ring.Receive(client, [to], o)));
        Assert.Equal(0, _f.Run(o => _f.Ring.Receive(client, [to], o)));
        // The other direction lives on.
        Assert.Equal(100, _f.Run(o => _f.Ring.Send(client, [to], o)));
        Assert.Equal(100, _f.Run(o => _f.Ring.Receive(server, [back], o)));
        Assert.Equal(-Errno.EPIPE, _f.Run(o => _f.Ring.Send(server, [back], o)));
    }

    [Fact]
    public void AcceptTakesConnectionsOneByOne()
    {
        using var listener = _f.Io.Listen(new IPEndPoint(IPAddress.Loopback, 0));
        var peers = new List<Socket>();
        var accept = new TestOperation();
        var accepted = new List<RingSocket>();
        accept.Then = (o, r) =>
        {
            if (r != 0) return;
            accepted.Add(o.Accepted!);
            Assert.Equal(0, _f.Ring.Accept(listener, o));
        };
        Assert.Equal(0, _f.Ring.Accept(listener, accept));
        for (var i = 0; i < 20; i++)
        {
            var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            peer.Connect(listener.LocalEndPoint);
            peers.Add(peer);
        }
        _f.Until(() => accepted.Count == 20);
        Assert.Equal(peers.Select(p => p.LocalEndPoint!).ToHashSet(), accepted.Select(a => a.RemoteEndPoint).ToHashSet());
        _f.Ring.Cancel(accept);
        _f.Until(() => !accept.IsPending);
        Assert.Equal(-Errno.ECANCELED, accept.Result);
        accepted.ForEach(a => a.Dispose());
        peers.ForEach(p => p.Dispose());
    }

    [Fact]
    public void ListeningTwiceOnAnAddressNamesIt()
    {
        using var listener = _f.Io.Listen(new IPEndPoint(IPAddress.Loopback, 0));
        var error = Assert.Throws<SpindleException>(() => _f.Io.Listen(listener.LocalEndPoint));
        Assert.Equal(Errno.EADDRINUSE, error.Errno);
        Assert.Contains(listener.LocalEndPoint.ToString()!, error.Message);
        error = Assert.Throws<SpindleException>(() => _f.Io.Listen(new IPEndPoint(IPAddress.Parse("192.0.2.77"), 0)));
        Assert.Equal(Errno.EADDRNOTAVAIL, error.Errno);
    }

    [Fact]
    public void ConnectingWhereNobodyListensIsRefused()
    {
        int port;
        using (var listener = _f.Io.Listen(new IPEndPoint(IPAddress.Loopback, 0))) port = ((IPEndPoint)listener.LocalEndPoint).Port;
        var connecting = _f.Io.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), TestContext.Current.CancellationToken);
        var error = Assert.IsType<SpindleException>(Assert.Throws<AggregateException>(connecting.Wait).InnerException);
        Assert.Equal(Errno.ECONNREFUSED, error.Errno);
        Assert.Contains($":{port}", error.Message);
    }

    [Fact]
    public void UnixListenerRemovesItsFile()
    {
        var path = _f.PathOf("gone");
        _f.Io.Listen(new UnixDomainSocketEndPoint(path)).Dispose();
        Assert.False(File.Exists(path));
    }

    /// <summary>A one-way stream that checks what arrives.</summary>
    private sealed class Pump
    {
        private readonly RingFixture _f;
        private readonly RingSocket _from;
        private readonly RingSocket _to;
        private readonly long _total;
        private readonly Random _random;
        private readonly Spindle.Memory.IoVec _sendBuffer;
        private readonly Spindle.Memory.IoVec _receiveBuffer;
        private readonly TestOperation _send = new();
        private readonly TestOperation _receive = new();
        private long _sent;
        private long _received;

        public Pump(RingFixture fixture, RingSocket from, RingSocket to, long total, int seed)
        {
            (_f, _from, _to, _total, _random) = (fixture, from, to, total, new Random(seed));
            _sendBuffer = fixture.Buffer(300_000);
            _receiveBuffer = fixture.Buffer(300_000);
            _send.Then = (_, r) => { Assert.True(r > 0, $"send: {r}"); _sent += r; Send(); };
            _receive.Then = (_, r) => { Assert.True(r > 0, $"receive: {r}"); Check(r); Receive(); };
        }

        public bool Done => _received == _total;

        public void Start()
        {
            Send();
            Receive();
        }

        private static byte At(long position) => (byte)(position * 31 + (position >> 13));

        private void Send()
        {
            var length = (uint)Math.Min(_random.Next(1, 300_000), _total - _sent);
            if (length == 0) return;
            for (var i = 0; i < length; i++) _sendBuffer.Span[i] = At(_sent + i);
            Assert.Equal(0, _f.Ring.Send(_from, Divide(_sendBuffer.Slice(0, length)), _send));
        }

        private void Receive()
        {
            if (_received == _total) return;
            Assert.Equal(0, _f.Ring.Receive(_to, Divide(_receiveBuffer.Slice(0, (uint)_random.Next(1, 300_000))), _receive));
        }

        private Spindle.Memory.IoVec[] Divide(Spindle.Memory.IoVec whole)
        {
            if (_random.Next(2) == 0 || whole.Length < 3) return [whole];
            var cut = (uint)_random.Next(1, (int)whole.Length - 1);
            return [whole.Slice(0, cut), whole.Slice(cut, whole.Length - cut)];
        }

        private void Check(int length)
        {
            var span = _receiveBuffer.Span;
            for (var i = 0; i < length; i++)
            {
                if (span[i] != At(_received + i)) Assert.Fail($"byte {_received + i} is wrong");
            }
            _received += length;
        }
    }
}
