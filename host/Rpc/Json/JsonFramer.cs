using System.Buffers;

namespace Spindle.Host.Rpc.Json;

/// <summary>What a stream of bytes holds next.</summary>
internal enum JsonFrame
{
    /// <summary>Nothing complete: receive more.</summary>
    None,

    /// <summary>An object or array.</summary>
    Value,

    /// <summary>A string, number or literal at the top: valid JSON, but no request.</summary>
    Scalar,

    /// <summary>A value grew beyond the limit; the rest of it is passed over.</summary>
    TooLarge,

    /// <summary>Not JSON. There is no way to find the next value: the end of the stream.</summary>
    Invalid,
}

/// <summary>Cuts a stream of undelimited JSON values into values. Holds at most one value and one receive's worth of bytes.</summary>
internal sealed class JsonFramer(int maxValueBytes, int maxDepth) : IDisposable
{
    const int InitialSize = 4096;

    byte[] _buffer = ArrayPool<byte>.Shared.Rent(InitialSize);
    JsonScanner _scanner = new(maxDepth);
    int _scanned;
    int _end;
    bool _dropping;
    bool _scalarReported;
    bool _invalid;
    bool _ended;

    /// <summary>What is wrong, after <see cref="JsonFrame.Invalid"/>.</summary>
    public string Error => _scanner.Error;

    /// <summary>Bytes held of a value that is not complete.</summary>
    public int BufferedBytes => _end;

    /// <summary>True in the middle of a value: the end of the stream here would be an error.</summary>
    public bool IsInsideValue => _scanner.Length > 0 && !_scanner.IsNumberThatMayEnd;

    /// <summary>Where to receive to. Valid until <see cref="Advance"/>.</summary>
    public Memory<byte> ReceiveMemory()
    {
        if (_end == _buffer.Length)
        {
            Resize(_end * 2);
        }
        return _buffer.AsMemory(_end);
    }

    /// <summary>Takes what was received to <see cref="ReceiveMemory"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Finds the next value. Call until it says <see cref="JsonFrame.None"/>.</summary>
    /// <param name="value">Valid until the next call of any method.</param>
    public JsonFrame Next(out ReadOnlyMemory<byte> value)
    {
        value = default;
        while (!_ended)
        {
            var result = _invalid ? JsonScanResult.Invalid : _scanner.Scan(_buffer.AsSpan(0, _end), ref _scanned);
            _invalid = result == JsonScanResult.Invalid;
            if (IsContainer)
            {
                // The byte that makes a value invalid does not count: what is reported must not depend on how the stream was cut.
                if (!_dropping && _scanner.Length - (_invalid ? 1 : 0) > maxValueBytes)
                {
                    _dropping = true;
                    if (result == JsonScanResult.Value)
                    {
                        NextValue();
                    }
                    return JsonFrame.TooLarge;
                }
            }
            else if (!_scalarReported && (result == JsonScanResult.Value || _scanner.BeganAsNumber))
            {
                // A number ends only where something else begins, which may be long in coming. It is no request either way, so say so at once.
                _scalarReported = true;
                if (result == JsonScanResult.Value)
                {
                    NextValue();
                }
                return JsonFrame.Scalar;
            }
            switch (result)
            {
                case JsonScanResult.Invalid:
                    _ended = true;
                    return JsonFrame.Invalid;
                case JsonScanResult.More:
                    Compact();
                    return JsonFrame.None;
            }
            var isComplete = IsContainer && !_dropping;
            value = isComplete ? _buffer.AsMemory(_scanned - (int)_scanner.Length, (int)_scanner.Length) : default;
            NextValue();
            if (isComplete)
            {
                return JsonFrame.Value;
            }
        }
        return JsonFrame.None;
    }

    bool IsContainer => _scanner.FirstByte is (byte)'{' or (byte)'[';

    void NextValue()
    {
        _scanner.Next();
        (_dropping, _scalarReported) = (false, false);
    }

    /// <summary>Moves what belongs to an incomplete value to the front. Each byte moves at most once, as a value that starts at the front stays there.</summary>
    void Compact()
    {
        var keep = _dropping || !IsContainer ? 0 : (int)_scanner.Length;
        if (keep == 0 || keep < _end)
        {
            _buffer.AsSpan(_end - keep, keep).CopyTo(_buffer);
            (_end, _scanned) = (keep, keep);
        }
        if (keep == 0 && _buffer.Length > 16 * InitialSize)
        {
            Resize(InitialSize);
        }
    }

    void Resize(int size)
    {
        var other = ArrayPool<byte>.Shared.Rent(size);
        _buffer.AsSpan(0, _end).CopyTo(other);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = other;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            _ended = true;
        }
    }
}
