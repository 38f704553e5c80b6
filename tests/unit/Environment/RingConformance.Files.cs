using Spindle.Io;
using Spindle.Memory;

namespace Spindle.UnitTests.Environment;

public abstract partial class RingConformance
{
    [Fact]
    public void ReadsBackWhatWasWrittenAtOffsets()
    {
        var file = _f.NewFile(1 << 20);
        var random = new Random(1);
        var model = new byte[1 << 20];
        var buffer = _f.Buffer(65536);
        for (var i = 0; i < 100; i++)
        {
            var offset = random.Next(model.Length - 65536);
            var part = buffer.Slice(0, (uint)random.Next(1, 65536));
            random.NextBytes(part.Span);
            Assert.Equal((int)part.Length, _f.Write(file, part, offset));
            part.Span.CopyTo(model.AsSpan(offset));
        }
        for (var offset = 0; offset < model.Length; offset += 65536)
        {
            Assert.Equal(65536, _f.Read(file, buffer, offset));
            Assert.True(buffer.Span.SequenceEqual(model.AsSpan(offset, 65536)));
        }
    }

    [Fact]
    public void VectorsAreScatteredAndGatheredInOrder()
    {
        var file = _f.NewFile(0);
        var random = new Random(2);
        // More vectors than a slot holds by itself.
        var source = Enumerable.Range(0, 40).Select(i => _f.Buffer((uint)(i * 13 + 1), 1)).ToArray();
        foreach (var vector in source) random.NextBytes(vector.Span);
        var total = source.Sum(v => (int)v.Length);
        Assert.Equal(total, _f.Run(o => _f.Ring.Write(file, source, 77, o)));
        var whole = _f.Buffer((uint)total);
        Assert.Equal(total, _f.Read(file, whole, 77));
        Assert.True(whole.Span.SequenceEqual(source.SelectMany(v => v.Span.ToArray()).ToArray()));
        var target = Enumerable.Range(0, 3).Select(_ => _f.Buffer((uint)(total / 3 + 1))).ToArray();
        Assert.Equal(total, _f.Run(o => _f.Ring.Read(file, target, 77, o)));
        Assert.True(whole.Span.SequenceEqual(target.SelectMany(v => v.Span.ToArray()).Take(total).ToArray()));
    }

    [Fact]
    public void VectorMayBeChangedAfterTheCall()
    {
        var file = _f.NewFile(8192);
        var a = _f.Buffer(4096);
        var b = _f.Buffer(4096);
        a.Span.Fill(1);
        b.Span.Fill(2);
        var vectors = new[] { a, b };
        var operation = new TestOperation();
        Assert.Equal(0, _f.Ring.Write(file, vectors, 0, operation));
        vectors.AsSpan().Clear();
        _f.Until(() => operation.Completions == 1);
        Assert.Equal(8192, operation.Result);
        Assert.Equal(4096, _f.Read(file, a, 4096));
        Assert.Equal(2, a.Span[0]);
    }

    [Fact]
    public void ReadAcrossTheEndIsShortAndPastItZero()
    {
        var file = _f.NewFile(10000);
        var buffer = _f.Buffer(8192);
        Assert.Equal(10000 - 8192, _f.Read(file, buffer, 8192));
        Assert.Equal(0, _f.Read(file, buffer, 10000));
        Assert.Equal(0, _f.Read(file, buffer, 1 << 30));
    }

    [Fact]
    public void WriteGrowsTheFile()
    {
        var file = _f.NewFile(0);
        Assert.Equal(0, file.Length);
        Assert.Equal(4096, _f.Write(file, _f.Buffer(4096), 4096));
        Assert.Equal(8192, file.Length);
    }

    [Fact]
    public void FlushSucceeds()
    {
        var file = _f.NewFile(0);
        Assert.Equal(4096, _f.Write(file, _f.Buffer(4096), 0));
        Assert.Equal(0, _f.Run(o => _f.Ring.Flush(file, o)));
    }

    [Fact]
    public void WritingAReadOnlyFileFails()
    {
        var path = _f.PathOf("ro");
        File.WriteAllBytes(path, new byte[4096]);
        var file = _f.Own(_f.Io.OpenFile(path, new FileOpenOptions(ReadOnly: true, Direct: false)));
        Assert.True(file.IsReadOnly);
        Assert.False(file.CanDeallocate);
        Assert.False(file.CanWriteZeroes);
        Assert.Equal(-Errno.EBADF, _f.Write(file, _f.Buffer(4096), 0));
        Assert.Equal(4096, _f.Read(file, _f.Buffer(4096), 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void RangesReadAsZeroesAfterDeallocateAndWriteZeroes(bool deallocate)
    {
        var file = _f.NewFile(1 << 16);
        var buffer = _f.Buffer(1 << 16);
        buffer.Span.Fill(0xEE);
        Assert.Equal(1 << 16, _f.Write(file, buffer, 0));
        var result = _f.Run(o => deallocate ? _f.Ring.Deallocate(file, 4096, 8192, o) : _f.Ring.WriteZeroes(file, 4096, 8192, o));
        if (!(deallocate ? file.CanDeallocate : file.CanWriteZeroes))
        {
            Assert.Equal(-Errno.ENOTSUP, result);
            return;
        }
        Assert.Equal(0, result);
        Assert.Equal(1 << 16, _f.Read(file, buffer, 0));
        for (var i = 0; i < 1 << 16; i++) Assert.Equal(i is >= 4096 and < 4096 + 8192 ? 0 : 0xEE, buffer.Span[i]);
        Assert.Equal(1 << 16, file.Length);
    }

    [Fact]
    public void DirectFileTellsItsAlignmentAndDoesIo()
    {
        var file = _f.NewFile(1 << 20, direct: true);
        if (!file.IsDirect)
        {
            Assert.Equal(1u, file.Alignment);
            // The filesystem or the environment has none; then it says so and works buffered.
            Assert.Equal(4096, _f.Write(file, _f.Buffer(4096), 1));
            return;
        }
        Assert.True(file.Alignment is >= 512 and <= 65536 && (file.Alignment & file.Alignment - 1) == 0);
        var buffer = _f.Buffer(file.Alignment * 4, file.Alignment);
        buffer.Span.Fill(0x5A);
        Assert.Equal((int)buffer.Length, _f.Write(file, buffer, file.Alignment));
        buffer.Span.Clear();
        Assert.Equal((int)buffer.Length, _f.Read(file, buffer, file.Alignment));
        Assert.Equal(-1, buffer.Span.IndexOfAnyExcept((byte)0x5A));
        Assert.Equal(-Errno.EINVAL, _f.Read(file, buffer.Slice(0, file.Alignment), 1));
    }

    [Fact]
    public void BadArgumentsAreRefusedAtOnce()
    {
        var file = _f.NewFile(4096);
        var buffer = _f.Buffer(4096);
        Assert.Equal(-Errno.EINVAL, _f.Ring.Read(file, [], 0, new TestOperation()));
        Assert.Equal(-Errno.EINVAL, _f.Ring.Read(file, [buffer], -1, new TestOperation()));
        Assert.Equal(-Errno.EINVAL, _f.Ring.Write(file, new IoVec[1025], 0, new TestOperation()));
        Assert.Equal(-Errno.EINVAL, _f.Ring.Deallocate(file, 0, 0, new TestOperation()));
        Assert.Equal(-Errno.EINVAL, _f.Ring.WriteZeroes(file, 1, long.MaxValue, new TestOperation()));
        var operation = new TestOperation();
        Assert.Equal(0, _f.Ring.Read(file, [buffer], 0, operation));
        Assert.Equal(-Errno.EBUSY, _f.Ring.Read(file, [buffer], 0, operation));
        _f.Until(() => operation.Completions == 1);
        file.Dispose();
        Assert.Equal(-Errno.EBADF, _f.Ring.Read(file, [buffer], 0, operation));
        Assert.Equal(0, _f.Ring.PendingCount);
    }

    [Fact]
    public void OpeningFailsWithTheSystemsError()
    {
        Assert.Equal(Errno.ENOENT, Assert.Throws<SpindleException>(() => _f.Io.OpenFile(_f.PathOf("missing"), new FileOpenOptions(Direct: false))).Errno);
        Assert.Equal(Errno.EISDIR, Assert.Throws<SpindleException>(() => _f.Io.OpenFile(_f.Folder, new FileOpenOptions(Direct: false))).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => _f.Io.OpenFile("", new FileOpenOptions(Direct: false))).Errno);
        Assert.Contains("missing", Assert.Throws<SpindleException>(() => _f.Io.OpenFile(_f.PathOf("missing"), new FileOpenOptions(Direct: false))).Message);
    }

    [Fact]
    public void CreateKeepsAFileThatIsThere()
    {
        File.WriteAllBytes(_f.PathOf("kept"), [1, 2, 3]);
        var file = _f.Own(_f.Io.OpenFile(_f.PathOf("kept"), new FileOpenOptions(Direct: false, Create: true, CreateLength: 99)));
        Assert.Equal(3, file.Length);
    }

    [Fact]
    public void ThousandsOfOperationsMayBePending()
    {
        const int count = 5000;
        var file = _f.NewFile(count * 512);
        var buffer = _f.Buffer(count * 512);
        new Random(3).NextBytes(buffer.Span);
        var operations = Enumerable.Range(0, count).Select(_ => new TestOperation()).ToArray();
        for (var i = 0; i < count; i++) Assert.Equal(0, _f.Ring.Write(file, [buffer.Slice((uint)i * 512, 512)], i * 512, operations[i]));
        Assert.Equal(count, _f.Ring.PendingCount);
        Assert.All(operations, o => Assert.Equal(0, o.Completions));
        _f.Until(() => _f.Ring.PendingCount == 0);
        Assert.All(operations, o => Assert.Equal((1, 512), (o.Completions, o.Result)));
        Assert.True(File.ReadAllBytes(file.Path).AsSpan().SequenceEqual(buffer.Span));
    }

    [Fact]
    public void CompletionMaySubmitTheSameOperationAgain()
    {
        var file = _f.NewFile(4096);
        var buffer = _f.Buffer(512);
        var operation = new TestOperation();
        operation.Then = (o, _) =>
        {
            if (o.Completions < 2000) Assert.Equal(0, _f.Ring.Read(file, [buffer], 0, o));
        };
        Assert.Equal(0, _f.Ring.Read(file, [buffer], 0, operation));
        _f.Until(() => operation.Completions == 2000);
        Assert.Equal(0, _f.Ring.PendingCount);
    }
}
