using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Spindle;
using Spindle.Testing;

namespace Acme.Fast.Tests;

public sealed class BlockServerTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private TestModule _module = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync();
        _module = await _host.AddModuleAsync(new Module());
        await _host.RegisterAsync(new MemoryDisk("Disk0"));
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopModulesAsync();
        await _host.DisposeAsync();
    }

    private async Task<TcpClient> ConnectAsync()
    {
        int port = int.Parse(await _module.CallAsync("acme_fast_serve", """{ "bdev_name": "Disk0" }"""), CultureInfo.InvariantCulture);
        var client = new TcpClient { ReceiveTimeout = 5000 };
        await client.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    private static async Task<byte[]> AskAsync(NetworkStream stream, ulong block)
    {
        byte[] number = new byte[8], data = new byte[512];
        BinaryPrimitives.WriteUInt64BigEndian(number, block);
        await stream.WriteAsync(number);
        int read = await stream.ReadAtLeastAsync(data, data.Length, throwOnEndOfStream: false);
        return data[..read];
    }

    [Fact]
    public async Task It_serves_blocks()
    {
        byte[] data = new byte[1024];
        new Random(1).NextBytes(data);
        await using (var writer = await _host.OpenAsync("Disk0")) await writer.WriteBytesAsync(7, data);
        using var client = await ConnectAsync();
        var stream = client.GetStream();
        Assert.Equal(data[..512], await AskAsync(stream, 7));
        Assert.Equal(data[512..], await AskAsync(stream, 8));
    }

    [Fact]
    public async Task A_block_beyond_the_end_ends_the_connection()
    {
        using var client = await ConnectAsync();
        Assert.Empty(await AskAsync(client.GetStream(), 1 << 20));
    }

    [Fact]
    public async Task It_lets_go_of_a_bdev_that_is_removed()
    {
        using var client = await ConnectAsync();
        await AskAsync(client.GetStream(), 0);
        await _host.UnregisterAsync("Disk0");
        Assert.Null(_host.Registry.Find("Disk0"));
    }

    [Fact]
    public async Task An_unknown_bdev_is_refused() =>
        await Assert.ThrowsAsync<SpindleException>(() => _module.CallAsync("acme_fast_serve", """{ "bdev_name": "nobody" }"""));
}
