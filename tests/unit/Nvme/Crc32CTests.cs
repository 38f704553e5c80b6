using Spindle.Nvme.Digests;

namespace Spindle.UnitTests.Nvme;

public class Crc32CTests
{
    /// <summary>RFC 3720, appendix B.4; digests there are shown as bytes on the wire, little-endian. And the check value of the catalogue of parametrised CRCs.</summary>
    public static TheoryData<string, byte[], uint> Vectors() => new()
    {
        { "32 bytes of zeroes", new byte[32], 0x8A91_36AA },
        { "32 bytes of ones", Enumerable.Repeat((byte)0xFF, 32).ToArray(), 0x62A8_AB43 },
        { "32 bytes incrementing", Enumerable.Range(0, 32).Select(i => (byte)i).ToArray(), 0x46DD_794E },
        { "32 bytes decrementing", Enumerable.Range(0, 32).Select(i => (byte)(31 - i)).ToArray(), 0x113F_DB5C },
        {
            "an iSCSI read (10) command",
            Convert.FromHexString("01C000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000"),
            0xD996_3A56
        },
        { "123456789", "123456789"u8.ToArray(), 0xE306_9283 },
        { "nothing", [], 0 },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Known_vectors(string what, byte[] data, uint expected)
    {
        Assert.True(Crc32C.Compute(data) == expected, $"{what}: {Crc32C.Compute(data):X8}, expected {expected:X8}");
        Assert.Equal(expected, Crc32C.Finish(Crc32C.UpdateSoftware(Crc32C.Initial, data)));
    }

    [Fact]
    public void Every_short_length_and_alignment_agrees_with_the_bitwise_definition()
    {
        byte[] data = new byte[600];
        new Random(1).NextBytes(data);
        for (int offset = 0; offset < 9; offset++)
        {
            for (int length = 0; length <= 560; length++)
            {
                ReadOnlySpan<byte> piece = data.AsSpan(offset, length);
                uint expected = Bitwise(piece);
                Assert.True(Crc32C.Compute(piece) == expected, $"offset {offset}, length {length}");
                Assert.True(Crc32C.Finish(Crc32C.UpdateSoftware(Crc32C.Initial, piece)) == expected, $"software, offset {offset}, length {length}");
            }
        }
    }

    [Theory]
    [InlineData(20261123)]
    public void Long_buffers_agree_with_the_fallback_at_random_alignments_and_splits(int seed)
    {
        Random random = new(seed);
        byte[] data = new byte[140_000];
        random.NextBytes(data);
        for (int i = 0; i < 300; i++)
        {
            int offset = random.Next(64);
            int length = random.Next(data.Length - offset);
            ReadOnlySpan<byte> piece = data.AsSpan(offset, length);
            uint expected = Crc32C.UpdateSoftware(Crc32C.Initial, piece);
            Assert.True(Crc32C.Update(Crc32C.Initial, piece) == expected, $"seed {seed}, offset {offset}, length {length}");
            int split = random.Next(length + 1);
            uint state = Crc32C.Update(Crc32C.Update(Crc32C.Initial, piece[..split]), piece[split..]);
            Assert.True(state == expected, $"seed {seed}, offset {offset}, length {length}, split {split}");
        }
    }

    private static uint Bitwise(ReadOnlySpan<byte> data)
    {
        uint crc = 0xFFFF_FFFF;
        foreach (byte b in data)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1;
            }
        }
        return ~crc;
    }
}
