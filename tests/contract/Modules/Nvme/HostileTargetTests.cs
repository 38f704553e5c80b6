using System.Buffers.Binary;
using Spindle.Bdevs;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>A target that answers what it must not: PDUs with changed headers, completions of commands that it was not given, lengths that do not fit, repeated and
/// missing PDUs. That controller fails, alone.</summary>
public sealed class HostileTargetTests : NvmeTest
{
    private const int Seeds = 120;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Changed_PDUs_hurt_nobody_else(bool digests)
    {
        await Nvme.CallAsync("bdev_nvme_set_options", """{"timeout_us":250000,"timeout_admin_us":250000,"action_on_timeout":"reset","keep_alive_timeout_ms":5000}""");
        var other = await (await Harness.ServedDisks.SharedAsync()).AddAsync(""","num_blocks":2048,"block_size":512""");
        await Nvme.CallAsync("bdev_nvme_attach_controller", other.Attach("Good"));
        var good = await OpenAsync("Goodn1", worker: 1);
        await good.WriteBytesAsync(1000, Pattern(0));
        int noticed = 0;
        for (int seed = 0; seed < Seeds; seed++)
        {
            var random = new Random(seed * 2 + (digests ? 1 : 0));
            await using var proxy = new PduProxy(Disk.Port);
            int victim = random.Next(60);
            bool done = false;
            proxy.ToHost = (pdu, number) =>
            {
                if (number < victim || done) return pdu;
                done = true;
                return Change(pdu, random);
            };
            if (!await RunAsync(proxy, random, digests)) noticed++;
            Assert.Equal(Pattern(0), await good.ReadBytesAsync(1000, 1));
        }
        await good.DisposeAsync();
        await Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Good"}""");
        await other.RemoveAsync();
        Assert.True(noticed > Seeds / 10, $"{noticed} of {Seeds} changes were noticed");
        Host.CheckObservations();
    }

    /// <returns>False when something failed, as it may.</returns>
    private async Task<bool> RunAsync(PduProxy proxy, Random random, bool digests)
    {
        string more = ""","fabrics_connect_timeout_us":250000""" + (digests ? ""","hdgst":true,"ddgst":true""" : "");
        try
        {
            await AttachAsync(proxy, more, "Bad");
        }
        catch (SpindleException)
        {
            return false;
        }
        bool all = true;
        if (Host.Registry.Find("Badn1") is not null)
        {
            var client = await Host.OpenAsync("Badn1");
            using var buffer = new TestBuffer(64 * 1024);
            for (int i = 0; i < 12; i++)
            {
                ulong at = (ulong)random.Next(512);
                int most = (int)(client.Bdev.BlockCount < 2048 ? 1 : 128);
                int blocks = random.Next(3) == 0 ? most : 1;
                using var part = new TestBuffer(blocks * (int)client.BlockSize);
                var outcome = random.Next(2) == 0 ? await client.ReadAsync(part, at, (ulong)blocks) : await client.WriteAsync(part, at, (ulong)blocks);
                all &= outcome.IsSuccess;
            }
            await client.DisposeAsync();
        }
        await Nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Bad"}""").WaitAsync(TimeSpan.FromSeconds(20));
        return all && proxy.ConnectionCount == 2;
    }

    private static byte[]? Change(byte[] pdu, Random random)
    {
        byte[] changed = [.. pdu];
        switch (random.Next(9))
        {
            case 0:
                changed[random.Next(Math.Min(changed.Length, 24))] = (byte)random.Next(256);
                break;
            case 1:
                BinaryPrimitives.WriteUInt32LittleEndian(changed.AsSpan(4), (uint)random.NextInt64(uint.MaxValue)); // PLEN
                break;
            case 2:
                changed[0] = (byte)random.Next(12); // type
                break;
            case 3 when changed.Length >= 24 && changed[0] == 5:
                BinaryPrimitives.WriteUInt16LittleEndian(changed.AsSpan(20), (ushort)random.Next(65536)); // CID of a response
                break;
            case 4 when changed.Length >= 24 && changed[0] is 7 or 9:
                BinaryPrimitives.WriteUInt16LittleEndian(changed.AsSpan(8), (ushort)random.Next(65536)); // CCCID
                break;
            case 5 when changed.Length >= 24 && changed[0] is 7 or 9:
                BinaryPrimitives.WriteUInt32LittleEndian(changed.AsSpan(random.Next(2) == 0 ? 12 : 16), (uint)random.NextInt64(uint.MaxValue)); // offset or length
                break;
            case 6:
                return [.. pdu, .. pdu]; // twice
            case 7:
                return null; // not at all
            default:
                changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
                break;
        }
        return changed;
    }

    [Fact]
    public async Task What_breaks_the_protocol_is_told_so()
    {
        var proxy = NewProxy();
        await AttachAsync(proxy, ""","ctrlr_loss_timeout_sec":-1,"reconnect_delay_sec":1""");
        var client = await OpenAsync();
        await client.WriteBytesAsync(7, Pattern(3));
        int connections = proxy.ConnectionCount, changed = 0;
        // A read's data for a command that does not exist, once.
        proxy.ToHost = (pdu, _) =>
        {
            if (pdu[0] != 7 || pdu.Length < 500 || Interlocked.Exchange(ref changed, 1) != 0) return pdu;
            byte[] other = [.. pdu];
            other[8] ^= 0x55;
            return other;
        };
        Assert.Equal(Pattern(3), await client.ReadBytesAsync(7, 1));
        Assert.Equal(1, changed);
        Assert.True(proxy.ConnectionCount > connections, "the controller was connected again");
    }

    private static byte[] Pattern(int seed)
    {
        byte[] data = new byte[BlockSize];
        new Random(seed).NextBytes(data);
        return data;
    }
}
