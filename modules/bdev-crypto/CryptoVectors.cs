using Spindle.Bdev.Crypto.Xts;
using Spindle.Memory;

namespace Spindle.Bdev.Crypto;

/// <summary>Encrypts and decrypts blocks that lie in I/O vectors, which may be split anywhere, in the middle of a block too.</summary>
[DataPath]
internal static unsafe class CryptoVectors
{
    /// <summary>Encrypts blocks into one piece of memory; the vectors are only read.</summary>
    internal static void Encrypt(AesXts cipher, ReadOnlySpan<IoVec> source, byte* target, uint blockSize, ulong blocks, ulong address)
    {
        var cursor = new Cursor(source);
        while (blocks > 0)
        {
            ulong count = Math.Min(cursor.Contiguous / blockSize, blocks);
            if (count > 0)
            {
                cipher.Encrypt(cursor.Take((uint)count * blockSize), target, blockSize, (uint)count, address);
            }
            else
            {
                cursor.CopyTo(target, blockSize);
                cipher.Encrypt(target, target, blockSize, 1, address);
                count = 1;
            }
            target += count * blockSize;
            address += count;
            blocks -= count;
        }
    }

    /// <summary>Decrypts blocks where they lie.</summary>
    /// <param name="cipher">The cipher.</param>
    /// <param name="vectors">The blocks.</param>
    /// <param name="scratch">Memory for one block, for those that are split.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="blocks">How many.</param>
    /// <param name="address">Of the first one.</param>
    internal static void Decrypt(AesXts cipher, ReadOnlySpan<IoVec> vectors, byte* scratch, uint blockSize, ulong blocks, ulong address)
    {
        var cursor = new Cursor(vectors);
        while (blocks > 0)
        {
            ulong count = Math.Min(cursor.Contiguous / blockSize, blocks);
            if (count > 0)
            {
                byte* at = cursor.Take((uint)count * blockSize);
                cipher.Decrypt(at, at, blockSize, (uint)count, address);
            }
            else
            {
                var start = cursor;
                cursor.CopyTo(scratch, blockSize);
                cipher.Decrypt(scratch, scratch, blockSize, 1, address);
                start.CopyFrom(scratch, blockSize);
                count = 1;
            }
            address += count;
            blocks -= count;
        }
    }

    /// <summary>Walks the bytes of vectors in order. The caller never walks past their end.</summary>
    private ref struct Cursor(ReadOnlySpan<IoVec> vectors)
    {
        private readonly ReadOnlySpan<IoVec> _vectors = vectors;
        private int _index;
        private uint _offset;

        /// <summary>Bytes from here that lie together; above 0.</summary>
        public uint Contiguous
        {
            get
            {
                while (_offset == _vectors[_index].Length)
                {
                    _index++;
                    _offset = 0;
                }
                return _vectors[_index].Length - _offset;
            }
        }

        public byte* Take(uint length)
        {
            byte* at = _vectors[_index].Pointer + _offset;
            _offset += length;
            return at;
        }

        public void CopyTo(byte* target, uint length)
        {
            while (length > 0)
            {
                uint piece = Math.Min(Contiguous, length);
                new ReadOnlySpan<byte>(Take(piece), (int)piece).CopyTo(new Span<byte>(target, (int)piece));
                target += piece;
                length -= piece;
            }
        }

        public void CopyFrom(byte* source, uint length)
        {
            while (length > 0)
            {
                uint piece = Math.Min(Contiguous, length);
                new ReadOnlySpan<byte>(source, (int)piece).CopyTo(new Span<byte>(Take(piece), (int)piece));
                source += piece;
                length -= piece;
            }
        }
    }
}
