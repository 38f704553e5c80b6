using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class TeardownTests
{
    [Fact]
    public void A_disconnect_by_the_target_sends_what_is_queued_first()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.MemorySocket.SendBlocked = true;
        for (ushort i = 0; i < 20; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(i, 0, 4096)));
        bench.Run();
        connection.Disconnect("test");
        bench.Run();
        Assert.NotEqual(NvmfQueuePairState.Closed, connection.State);
        connection.MemorySocket.SendBlocked = false;
        bench.RunUntilClosed(connection);
        Assert.Equal(20, connection.Take().Count);
        Assert.Equal("test", connection.DisconnectReason);
    }

    /// <summary>Closing with bytes of the host unread would reset the connection; a Linux host then sends into it and raises SIGPIPE in the program whose I/O that was.</summary>
    [Fact]
    public void A_disconnect_by_the_target_is_told_to_the_host_and_what_it_still_sends_is_taken()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.Disconnect("test");
        bench.Run();
        Assert.True(connection.MemorySocket.IsSendShutDown);
        for (ushort i = 0; i < 20; i++)
        {
            connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(i, 0, 4096)));
            bench.Run();
            Assert.False(connection.MemorySocket.CanReceive, "bytes of the host are left unread");
            Assert.False(connection.MemorySocket.IsShutDown);
        }
        connection.MemorySocket.PeerClosed = true;
        bench.Run();
        Assert.Equal(NvmfQueuePairState.Closed, connection.State);
        Assert.True(connection.MemorySocket.IsDisposed);
    }

    /// <summary>As Disconnect does, and a command that ends the association.</summary>
    [Fact]
    public void A_command_may_end_the_connection_while_it_is_being_taken()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.OnRun = () => connection.Disconnect("test");
        connection.MemorySocket.Write([.. PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512)), .. PduBuilder.CapsuleCmd(Pdus.Read(2, 0, 512))]);
        bench.Run();
        Assert.True(connection.MemorySocket.IsSendShutDown);
        connection.MemorySocket.PeerClosed = true;
        bench.RunUntilClosed(connection);
    }

    [Fact]
    public void A_host_that_goes_on_sending_after_the_end_is_closed_all_the_same()
    {
        using var bench = new TcpBench(settings: new TcpSettings { CloseLinger = TimeSpan.FromMilliseconds(20), SupervisionPeriod = TimeSpan.FromMilliseconds(5) });
        TestConnection connection = bench.Connect();
        connection.Disconnect("test");
        bench.RunUntil(() =>
        {
            connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 4096)));
            return connection.State == NvmfQueuePairState.Closed;
        });
        Assert.True(connection.MemorySocket.IsDisposed);
    }

    [Fact]
    public void A_host_that_takes_nothing_does_not_delay_the_end_for_long()
    {
        using var bench = new TcpBench(settings: new TcpSettings { FlushTimeout = TimeSpan.FromMilliseconds(20), SupervisionPeriod = TimeSpan.FromMilliseconds(5) });
        TestConnection connection = bench.Connect();
        connection.MemorySocket.SendBlocked = true;
        for (ushort i = 0; i < 20; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(i, 0, 4096)));
        bench.Run();
        connection.Disconnect("test");
        bench.RunUntilClosed(connection);
        Assert.Equal(0, bench.Part.Buffers.Taken);
    }

    [Fact]
    public void Data_under_way_when_the_connection_ends_finds_its_buffer_still_there()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(1, 0, SglDescriptor.TransportDataBlock(131072))));
        bench.Run();
        ushort ttag = Assert.Single(connection.Take()).As<Spindle.Nvme.Tcp.R2T>().Ttag;
        connection.MemorySocket.Write(PduBuilder.H2CData(1, ttag, 0, new byte[131072], last: true).AsSpan(0, 100));
        bench.Run();
        // The receive into the data buffer is pending.
        connection.Disconnect("test");
        Assert.Equal(1, bench.Part.Buffers.Taken);
        bench.RunUntilClosed(connection);
        Assert.Equal(0, bench.Part.Buffers.Taken);
    }

    [Fact]
    public void A_connection_ends_before_it_sent_anything()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Accept();
        bench.Run();
        connection.Disconnect("test");
        bench.RunUntilClosed(connection);
        Assert.Equal(0, connection.Pool.Count);
    }

    [Fact]
    public void A_reset_in_mid_send_gives_everything_back()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.MemorySocket.MaxSend = 10_000;
        for (ushort i = 0; i < 20; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(i, 0, 65536)));
        for (int i = 0; i < 20; i++) bench.Thread.Turn();
        connection.MemorySocket.Shutdown();
        bench.RunUntilClosed(connection);
        Assert.Equal(0, bench.Part.Buffers.Taken);
    }

    [Fact]
    public void An_idle_connection_is_small_and_keeps_no_timer()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(queueSize: 1024);
        Assert.Equal(0, connection.Pool.Count);
        Assert.Equal(0, bench.Thread.TimersRunning);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512)));
        bench.Run();
        Assert.InRange(connection.Pool.Count, 1, 8);
        Assert.Equal(1024, connection.Pool.Limit);
    }

    [Fact]
    public void A_deep_queue_gets_as_many_slots_as_it_has_entries()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(queueSize: 1024);
        connection.Defers = true;
        for (int i = 0; i < 1024; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, (ushort)i, 0, default)));
        bench.Run();
        Assert.Equal(1024, connection.Deferred);
        connection.Defers = false;
        connection.CompleteDeferred();
        bench.Run();
        Assert.Equal(1024, connection.Take().Count);
    }
}
