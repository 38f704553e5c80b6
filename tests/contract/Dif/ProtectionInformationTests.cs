using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.Dif;

namespace Spindle.ContractTests.Dif;

public sealed unsafe class ProtectionInformationTests
{
    public static TheoryData<DifType, DifFormat, bool, bool, uint> Layouts
    {
        get
        {
            var data = new TheoryData<DifType, DifFormat, bool, bool, uint>();
            foreach (var type in new[] { DifType.Type1, DifType.Type2, DifType.Type3 })
                foreach (var format in Enum.GetValues<DifFormat>())
                    foreach (bool interleaved in new[] { false, true })
                        foreach (bool head in new[] { false, true })
                            foreach (uint metadata in new[] { 16u, 64u }) data.Add(type, format, interleaved, head, metadata);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void What_is_generated_verifies_and_each_change_is_found(DifType type, DifFormat format, bool interleaved, bool head, uint metadataSize)
    {
        const int count = 3;
        const ulong first = 0xFFFF_FFFE; // so that the reference tag wraps
        var information = new ProtectionInformation(4096, metadataSize, interleaved, head, type, ProtectionInformation.DefaultFlags(type), format);
        int stride = 4096 + (interleaved ? (int)metadataSize : 0), size = format == DifFormat.Guard16 ? 8 : 16;
        var random = new Random(1);
        using var whole = new TestBuffer(stride * count);
        using var metadata = new TestBuffer((int)metadataSize * count);
        random.NextBytes(whole.Vectors[0].Span);
        random.NextBytes(metadata.Vectors[0].Span);
        byte* data = whole.Vectors[0].Pointer, md = interleaved ? null : metadata.Vectors[0].Pointer;
        information.Generate(data, md, count, first);
        Assert.Equal(DifResult.Ok, information.Verify(data, md, count, first, out _));

        // The same in pieces, cut anywhere.
        using var pieces = new TestBuffer(TestBuffer.OddSplit(random, stride * count, 9), 3);
        pieces.Set(whole.ToArray());
        Assert.Equal(DifResult.Ok, information.Verify(pieces.Vectors, md, count, first, out _));
        byte[] md1 = metadata.ToArray();
        information.Generate(pieces.Vectors, md, count, first);
        Assert.Equal(whole.ToArray(), pieces.ToArray());
        Assert.Equal(md1, metadata.ToArray());

        // One wrong bit in the data.
        data[stride + 100] ^= 4;
        Assert.Equal(DifResult.Guard, information.Verify(data, md, count, first, out _));
        pieces.Set(whole.ToArray());
        Assert.Equal(DifResult.Guard, information.Verify(pieces.Vectors, md, count, first, out _));
        data[stride + 100] ^= 4;

        // Another place, and what type 3 thinks of it.
        Assert.Equal(type == DifType.Type3 ? DifResult.Ok : DifResult.ReferenceTag, information.Verify(data, md, count, first + 1, out _));
        information.Renumber(data, md, count, first + 7);
        Assert.Equal(DifResult.Ok, information.Verify(data, md, count, first + 7, out _));

        // Metadata before the information is guarded, behind it is not.
        byte* all = md is null ? data + 4096 : md;
        byte* beside = head ? all + metadataSize - 1 : all;
        if (metadataSize > size)
        {
            *beside ^= 1;
            Assert.Equal(head ? DifResult.Ok : DifResult.Guard, information.Verify(data, md, count, first + 7, out _));
            *beside ^= 1;
        }

        // The tags that turn the checks off.
        new Span<byte>(data, stride * count).Clear();
        metadata.Fill(0);
        information.MarkUnchecked(data, md, count);
        data[5] = 1;
        Assert.Equal(DifResult.Ok, information.Verify(data, md, count, 12345, out _));
    }

    [Fact]
    public void The_layouts_are_those_of_the_specification()
    {
        using var block = new TestBuffer(4096 + 16);
        byte* data = block.Vectors[0].Pointer;
        block.Fill(0);
        new ProtectionInformation(4096, 8, true, false, DifType.Type1, ProtectionInformation.DefaultFlags(DifType.Type1), DifFormat.Guard16).Generate(data, null, 1, 0x123456789A);
        Assert.Equal("0000" + "0000" + "3456789A", Convert.ToHexString(new Span<byte>(data + 4096, 8)));
        block.Fill(0);
        new ProtectionInformation(4096, 16, true, false, DifType.Type1, ProtectionInformation.DefaultFlags(DifType.Type1), DifFormat.Guard32).Generate(data, null, 1, 0x123456789A);
        Assert.Equal("98F94189" + "0000" + "0000" + "000000123456789A", Convert.ToHexString(new Span<byte>(data + 4096, 16)));
        block.Fill(0);
        new ProtectionInformation(4096, 16, true, false, DifType.Type1, ProtectionInformation.DefaultFlags(DifType.Type1), DifFormat.Guard64).Generate(data, null, 1, 0x123456789A);
        Assert.Equal("6482D367EB22B64E" + "0000" + "00123456789A", Convert.ToHexString(new Span<byte>(data + 4096, 16)));
    }

    [Theory]
    [InlineData(512u, 0u, DifType.Type1, DifFormat.Guard16, "md_size")]
    [InlineData(4096u, 8u, DifType.Type1, DifFormat.Guard32, "md_size")]
    [InlineData(512u, 16u, DifType.Type1, DifFormat.Guard64, "block_size")]
    [InlineData(512u, 8u, DifType.None, DifFormat.Guard16, "dif_type")]
    [InlineData(512u, 8u, (DifType)4, DifFormat.Guard16, "dif_type")]
    [InlineData(512u, 8u, DifType.Type1, (DifFormat)3, "dif_pi_format")]
    public void What_does_not_fit_is_refused_by_name(uint block, uint metadata, DifType type, DifFormat format, string parameter)
    {
        var e = Assert.Throws<SpindleException>(() => new ProtectionInformation(block, metadata, true, false, type, DifCheckFlags.Guard, format));
        Assert.Equal(Errno.EINVAL, e.Errno);
        Assert.StartsWith(parameter, e.Message, StringComparison.Ordinal);
    }
}
