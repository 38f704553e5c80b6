using Spindle.Dif;

namespace Spindle.ContractTests.Dif;

public sealed unsafe class CrcTests
{
    private static readonly byte[] Check = "123456789"u8.ToArray();

    [Fact]
    public void Known_values()
    {
        fixed (byte* check = Check)
        {
            Assert.Equal(0xD0DB, Crc.T10(0, check, 9));
            Assert.Equal(0xE3069283u, Crc.Castagnoli(0, check, 9));
            Assert.Equal(0xAE8B14860A799888ul, Crc.Nvme64(0, check, 9));
        }
        // NVM Command Set Specification 1.0, 5.2.1.3.5: 4096 bytes of zero, and of FFh.
        byte[] block = new byte[4096];
        fixed (byte* data = block)
        {
            Assert.Equal(0, Crc.T10(0, data, 4096));
            Assert.Equal(0x98F94189u, Crc.Castagnoli(0, data, 4096));
            Assert.Equal(0x6482D367EB22B64Eul, Crc.Nvme64(0, data, 4096));
            block.AsSpan().Fill(0xFF);
            Assert.Equal(0x25C1FE13u, Crc.Castagnoli(0, data, 4096));
            Assert.Equal(0xC0DDBA7302ECA3ACul, Crc.Nvme64(0, data, 4096));
        }
    }

    [Fact]
    public void Any_length_in_any_pieces_agrees_with_one_bit_at_a_time()
    {
        var random = new Random(1);
        byte[] bytes = new byte[1300];
        random.NextBytes(bytes);
        fixed (byte* data = bytes)
        {
            for (int length = 0; length <= 1300; length += random.Next(1, 9))
            {
                int cut = random.Next(length + 1);
                nuint rest = (nuint)(length - cut);
                Assert.Equal(SlowT10(bytes.AsSpan(0, length)), Crc.T10(Crc.T10(0, data, (nuint)cut), data + cut, rest));
                Assert.Equal(Crc.Castagnoli(0, data, (nuint)length), Crc.Castagnoli(Crc.Castagnoli(0, data, (nuint)cut), data + cut, rest));
                Assert.Equal(Slow64(bytes.AsSpan(0, length)), Crc.Nvme64(Crc.Nvme64(0, data, (nuint)cut), data + cut, rest));
            }
        }
    }

    private static ushort SlowT10(ReadOnlySpan<byte> data)
    {
        int crc = 0;
        foreach (byte b in data)
        {
            crc ^= b << 8;
            for (int i = 0; i < 8; i++) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x8BB7 : crc << 1;
        }
        return (ushort)crc;
    }

    private static ulong Slow64(ReadOnlySpan<byte> data)
    {
        ulong crc = ulong.MaxValue;
        foreach (byte b in data)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x9A6C9329AC4BC9B5 : crc >> 1;
        }
        return ~crc;
    }
}
