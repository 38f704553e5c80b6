using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Loans of buffers, the bdev's own or the host's.</summary>
internal static class ZcopyRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        new("zcopy.moves-data", "Lent buffers hold the blocks' data when that is asked for, and the blocks have what is in them when the loan is ended by a commit.", MovesDataAsync, needsData: true),
        new("zcopy.many", "Loans of other blocks that are under way together do not touch each other.", ManyAsync, needsData: true),
    ];

    private static async Task MovesDataAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        var zcopy = await CreateAsync(client);
        byte[] image = run.RandomBytes(48);
        await client.WriteBytesAsync(100, image);
        for (int round = 0; round < 16; round++)
        {
            ulong blocks = (ulong)run.Random.Next(1, (int)Math.Min(16, zcopy.MaxBlocks) + 1), at = (ulong)run.Random.Next(1, 47 - (int)blocks);
            var place = image.AsMemory((int)at * run.BlockSize, (int)blocks * run.BlockSize);
            bool populate = round % 2 == 0, commit = round % 3 != 0;
            Check.Succeeded(await client.SubmitAsync((_, done, state) => zcopy.Start(100 + at, blocks, populate, done, state)), "the start of a loan");
            byte[] next = run.RandomBytes(blocks);
            byte[]? held = null;
            Check.Succeeded(await client.SubmitAsync((_, done, state) =>
            {
                held = Contents(zcopy);
                if (commit) Fill(zcopy, next);
                return zcopy.End(commit, done, state);
            }), "the end of a loan");
            Check.That(held!.Length == place.Length, $"a loan of {blocks} blocks has {held.Length} bytes");
            if (populate) Check.Same(place.ToArray(), held, $"the buffers lent for {blocks} blocks at {100 + at}");
            if (commit) next.CopyTo(place);
            Check.Same(image, await client.ReadBytesAsync(100, 48), $"the blocks around a loan of {blocks} blocks at {100 + at} that was ended {(commit ? "by a commit" : "without a commit")}");
        }
    }

    private static async Task ManyAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        var loans = new List<IBdevZcopy>();
        for (int i = 0; i < 8; i++) loans.Add(await CreateAsync(client));
        byte[] image = run.RandomBytes(32);
        await client.WriteBytesAsync(64, image);
        await Task.WhenAll(loans.Select((loan, i) => client.SubmitAsync((_, done, state) => loan.Start(64 + ((ulong)i * 4), 4, populate: true, done, state))));
        byte[][] held = new byte[loans.Count][];
        var ends = loans.Select((loan, i) => client.SubmitAsync((_, done, state) =>
        {
            held[i] = Contents(loan);
            Fill(loan, [.. held[i].Select(b => (byte)~b)]);
            return loan.End(commit: true, done, state);
        })).ToArray();
        foreach (var end in ends) Check.Succeeded(await end, "the end of a loan");
        for (int i = 0; i < held.Length; i++) Check.Same(image[(i * 4 * run.BlockSize)..((i + 1) * 4 * run.BlockSize)], held[i], $"the loan of 4 blocks at {64 + (i * 4)}, one of 8");
        byte[] inverted = [.. image.Select(b => (byte)~b)];
        Check.Same(inverted, await client.ReadBytesAsync(64, 32), "the blocks of 8 loans that were ended by a commit");
    }

    private static async Task<IBdevZcopy> CreateAsync(BdevClient client)
    {
        IBdevZcopy? made = null;
        var nothing = await client.SubmitAsync((channel, done, state) =>
        {
            try
            {
                made = channel.CreateZcopy();
            }
            catch (SpindleException e) when (e.Errno == Errno.ENOTSUP)
            {
            }
            return -Errno.ECANCELED;
        });
        return nothing.Error == -Errno.ECANCELED && made is not null ? made : throw new NotApplicableException("its buffers cannot be borrowed");
    }

    private static byte[] Contents(IBdevZcopy zcopy)
    {
        var bytes = new List<byte>();
        foreach (var vector in zcopy.Buffers) bytes.AddRange(vector.Span);
        return [.. bytes];
    }

    private static void Fill(IBdevZcopy zcopy, byte[] data)
    {
        int at = 0;
        foreach (var vector in zcopy.Buffers)
        {
            data.AsSpan(at, (int)vector.Length).CopyTo(vector.Span);
            at += (int)vector.Length;
        }
    }
}
