using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;

namespace Spindle.Frontend.Nvmf.Commands;

/// <summary>A request's data as one stretch of bytes, however many buffers hold it.</summary>
internal static class RequestData
{
    /// <summary>Fills all data with zeroes.</summary>
    public static void Clear(NvmfRequest request)
    {
        foreach (IoVec buffer in request.Buffers) buffer.Span.Clear();
    }

    /// <summary>Copies into the data from <paramref name="offset"/>; what does not fit is left out.</summary>
    public static void Write(NvmfRequest request, ReadOnlySpan<byte> source, ulong offset = 0)
    {
        foreach (IoVec buffer in request.Buffers)
        {
            if (source.IsEmpty) return;
            if (offset >= buffer.Length)
            {
                offset -= buffer.Length;
                continue;
            }
            Span<byte> target = buffer.Span[(int)offset..];
            int length = Math.Min(target.Length, source.Length);
            source[..length].CopyTo(target);
            source = source[length..];
            offset = 0;
        }
    }

    /// <summary>Copies out of the data from <paramref name="offset"/>.</summary>
    /// <returns>False when there is less data.</returns>
    [DataPath]
    public static bool TryRead(NvmfRequest request, Span<byte> target, ulong offset = 0)
    {
        foreach (IoVec buffer in request.Buffers)
        {
            if (target.IsEmpty) return true;
            if (offset >= buffer.Length)
            {
                offset -= buffer.Length;
                continue;
            }
            Span<byte> source = buffer.Span[(int)offset..];
            int length = Math.Min(target.Length, source.Length);
            source[..length].CopyTo(target);
            target = target[length..];
            offset = 0;
        }
        return target.IsEmpty;
    }

    /// <summary>Writes a part of a page: <paramref name="length"/> bytes of it from <paramref name="offset"/>, zeroes past its end.</summary>
    public static void WritePart(NvmfRequest request, ReadOnlySpan<byte> page, ulong offset, ulong length)
    {
        if (offset >= (ulong)page.Length) return;
        ReadOnlySpan<byte> part = page[(int)offset..];
        if ((ulong)part.Length > length) part = part[..(int)length];
        Write(request, part);
    }
}
