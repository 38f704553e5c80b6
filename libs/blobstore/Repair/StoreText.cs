using System.Text;
using Spindle.Blobs.Format;

namespace Spindle.Blobs.Repair;

/// <summary>Names that users of a store gave, for people: whatever bytes they are.</summary>
public static class StoreText
{
    /// <summary>A blob's <c>name</c>, as volumes have it; empty when there is none. Control characters are shown as '?'.</summary>
    public static string NameOf(BlobRecord blob) => Of(blob.Xattr("name"));

    /// <summary>Text of a value up to its first zero byte.</summary>
    public static string Of(byte[]? value)
    {
        if (value is null) return "";
        int end = Array.IndexOf(value, (byte)0);
        var text = new StringBuilder(Encoding.UTF8.GetString(value, 0, end < 0 ? value.Length : end));
        for (int i = 0; i < text.Length; i++)
            if (char.IsControl(text[i])) text[i] = '?';
        return text.ToString();
    }
}
