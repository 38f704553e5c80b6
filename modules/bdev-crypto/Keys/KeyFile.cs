using System.Security.Cryptography;
using Spindle.Bdev.Crypto.Xts;

namespace Spindle.Bdev.Crypto.Keys;

/// <summary>A file that holds the two keys, each as hexadecimal digits, with white space between them.</summary>
internal static class KeyFile
{
    private const int MaxSize = 4096;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Reads the keys from a file that nobody but its owner may access.</summary>
    /// <exception cref="SpindleException">It cannot be read, others may read it, or it holds something else.</exception>
    internal static async Task<AesXtsKey> ReadAsync(string path)
    {
        if (!Path.IsPathFullyQualified(path) || path.Contains('\0', StringComparison.Ordinal))
            throw new SpindleException(Errno.EINVAL, "key_file must be an absolute path, so that a saved configuration means the same file.");
        try
        {
            // Not on the app thread, and not for ever: it may lie on a network, or be a pipe.
            return await Task.Run(() => Read(path)).WaitAsync(s_patience);
        }
        catch (TimeoutException)
        {
            throw new SpindleException(Errno.ETIMEDOUT, $"key_file '{path}' could not be read within {s_patience.TotalSeconds:0} s: it must be a file.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            int errno = e is FileNotFoundException or DirectoryNotFoundException ? Errno.ENOENT : e is UnauthorizedAccessException ? Errno.EACCES : Errno.EIO;
            throw new SpindleException(errno, $"key_file '{path}' cannot be read: {Errno.Message(errno)}. The host's user must own it and be able to read it.");
        }
    }

    private static AesXtsKey Read(string path)
    {
        byte[] text = GC.AllocateArray<byte>(MaxSize + 1, pinned: true);
        try
        {
            return Parse(text.AsSpan(0, ReadAll(path, text)), path);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
        }
    }

    private static int ReadAll(string path, byte[] text)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((File.GetUnixFileMode(file) & Others) != 0)
                throw new SpindleException(Errno.EACCES, $"key_file '{path}' may be accessed by others than its owner: chmod 600 it.");
        }
        int length = 0;
        while (length < text.Length && RandomAccess.Read(file, text.AsSpan(length), length) is > 0 and var read) length += read;
        if (length > MaxSize) throw new SpindleException(Errno.EFBIG, $"key_file '{path}' has more than {MaxSize} bytes: it must hold two keys as hexadecimal digits, and nothing else.");
        return length;
    }

    private static AesXtsKey Parse(ReadOnlySpan<byte> text, string path)
    {
        Span<byte> first = stackalloc byte[AesXtsKey.MaxKeySize], second = stackalloc byte[AesXtsKey.MaxKeySize];
        try
        {
            int length1 = HexKey.Parse(Word(ref text), $"The first key in key_file '{path}'", first);
            int length2 = HexKey.Parse(Word(ref text), $"The second key in key_file '{path}'", second);
            if (Word(ref text).Length > 0) throw new SpindleException(Errno.EINVAL, $"key_file '{path}' has something behind the second key; it must hold two keys, and nothing else.");
            return CryptoKey.Make(first[..length1], second[..length2], $"The first key in key_file '{path}'", "the second");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(first);
            CryptographicOperations.ZeroMemory(second);
        }
    }

    private static ReadOnlySpan<byte> Word(ref ReadOnlySpan<byte> text)
    {
        text = text.TrimStart(" \t\r\n"u8);
        int end = text.IndexOfAny(" \t\r\n"u8);
        var word = end < 0 ? text : text[..end];
        text = text[word.Length..];
        return word;
    }
}
