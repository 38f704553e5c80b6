using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>Stands between an initiator and a target as the network does: it can cut connections, refuse new ones, hold everything back, and change the
/// PDUs that go to the host.</summary>
public sealed class PduProxy : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly int _target;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly List<(Socket Host, Socket Target)> _connections = [];
    private readonly List<Task> _pumps = [];
    private TaskCompletionSource? _held;
    private int _pdus;

    public PduProxy(int target)
    {
        _target = target;
        Port = ServedDisks.FreePort();
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _accepting = Task.Run(AcceptAsync);
    }

    public int Port { get; }

    /// <summary>New connections go through; else they are closed at once.</summary>
    public bool Accepts { get; set; } = true;

    /// <summary>Sees each PDU to the host and its number, and may change it; null: it is dropped.</summary>
    public Func<byte[], int, byte[]?>? ToHost { get; set; }

    /// <summary>Cuts the stream to the host into pieces of at most so many bytes; 0: not at all.</summary>
    public int MostPerSend { get; set; }

    /// <summary>PDUs to the host so far.</summary>
    public int PduCount => Volatile.Read(ref _pdus);

    /// <summary>Connections made so far.</summary>
    public int ConnectionCount { get; private set; }

    /// <summary>Nothing goes to the host until it is set back.</summary>
    public bool Holds
    {
        set
        {
            lock (_connections)
            {
                if (value) _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                else
                {
                    _held?.TrySetResult();
                    _held = null;
                }
            }
        }
    }

    /// <summary>Ends all connections, as a cable that is pulled and a target that dies.</summary>
    public void Cut()
    {
        lock (_connections)
        {
            foreach (var (host, target) in _connections)
            {
                host.Dispose();
                target.Dispose();
            }
            _connections.Clear();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var host = await _listener.AcceptSocketAsync(_stop.Token);
                if (!Accepts)
                {
                    host.Dispose();
                    continue;
                }
                var target = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await target.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                host.NoDelay = target.NoDelay = true;
                lock (_connections)
                {
                    ConnectionCount++;
                    _connections.Add((host, target));
                    _pumps.Add(Task.Run(() => PumpAsync(host, target, ToTargetAsync)));
                    _pumps.Add(Task.Run(() => PumpAsync(target, host, ToHostAsync)));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Func<Socket, Socket, Task> pump)
    {
        try
        {
            await pump(from, to);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
        }
        from.Dispose();
        to.Dispose();
    }

    private static async Task ToTargetAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[65536];
        while (await from.ReceiveAsync(buffer) is > 0 and var count) await SendAsync(to, buffer.AsMemory(0, count));
    }

    private async Task ToHostAsync(Socket from, Socket to)
    {
        byte[] header = new byte[8];
        while (await FillAsync(from, header))
        {
            byte[] pdu = new byte[BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(4))];
            header.CopyTo(pdu, 0);
            if (!await FillAsync(from, pdu.AsMemory(8))) return;
            int number = Interlocked.Increment(ref _pdus) - 1;
            Task? held;
            lock (_connections) held = _held?.Task;
            if (held is not null) await held;
            if ((ToHost is { } change ? change(pdu, number) : pdu) is { } changed) await SendPiecesAsync(to, changed);
        }
    }

    private async Task SendPiecesAsync(Socket to, ReadOnlyMemory<byte> data)
    {
        while (MostPerSend > 0 && data.Length > MostPerSend)
        {
            int count = Random.Shared.Next(1, MostPerSend + 1);
            await SendAsync(to, data[..count]);
            data = data[count..];
            if (count % 3 == 0) await Task.Yield();
        }
        await SendAsync(to, data);
    }

    private static async Task<bool> FillAsync(Socket from, Memory<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int count = await from.ReceiveAsync(buffer);
            if (count == 0) return false;
            buffer = buffer[count..];
        }
        return true;
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> data)
    {
        while (data.Length > 0) data = data[await to.SendAsync(data)..];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Holds = false;
        Cut();
        await _accepting;
        Task[] pumps;
        lock (_connections) pumps = [.. _pumps];
        await Task.WhenAll(pumps);
        _stop.Dispose();
    }
}
