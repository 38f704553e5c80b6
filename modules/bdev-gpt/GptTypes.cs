using System.Text.Json;

namespace Spindle.Bdev.Gpt;

/// <summary>The types of partitions that become bdevs.</summary>
public sealed class GptTypes
{
    /// <summary>SPDK's type of partition.</summary>
    public static readonly Guid Spdk = new("6527994e-2c5a-4eec-9613-8f5944074e8b");

    /// <summary>SPDK's earlier type: its bdevs have one block less than the partition, which layouts on them rely on.</summary>
    public static readonly Guid SpdkOld = new("7c5222bd-8f5d-4087-9c00-bf9843c7b58c");

    private readonly HashSet<Guid> _types = [Spdk, SpdkOld];
    private readonly bool _all;

    private GptTypes(bool all) => _all = all;

    /// <summary>SPDK's own, as in SPDK.</summary>
    public static GptTypes Default { get; } = new(all: false);

    /// <summary>Whether partitions of a type become bdevs. An entry that is not used has the empty type.</summary>
    public bool Has(Guid type) => type != Guid.Empty && (_all || _types.Contains(type));

    /// <summary>Reads the module's settings: <c>{ "partitionTypes": [GUID …] }</c>, or <c>"*"</c> in place of a GUID for all types.</summary>
    /// <exception cref="SpindleException">EINVAL, naming the member.</exception>
    public static GptTypes Parse(string settingsJson)
    {
        using var settings = JsonDocument.Parse(settingsJson);
        foreach (var member in settings.RootElement.EnumerateObject())
            if (member.Name != "partitionTypes") throw Invalid($"settings of bdev-gpt: '{member.Name}' is not known; there is partitionTypes");
        if (!settings.RootElement.TryGetProperty("partitionTypes", out var types)) return Default;
        if (types.ValueKind != JsonValueKind.Array) throw Invalid("settings of bdev-gpt: partitionTypes must be an array of GUIDs, or [\"*\"]");
        var texts = types.EnumerateArray().Select((type, i) => type.ValueKind == JsonValueKind.String ? type.GetString()! :
            throw Invalid($"settings of bdev-gpt: partitionTypes[{i}] must be a string")).ToArray();
        var result = new GptTypes(texts.Contains("*"));
        for (int i = 0; i < texts.Length; i++)
        {
            if (texts[i] == "*") continue;
            if (!Guid.TryParseExact(texts[i], "D", out var type) || type == Guid.Empty)
                throw Invalid($"settings of bdev-gpt: partitionTypes[{i}] must be a GUID such as {Spdk}, or \"*\" for all");
            result._types.Add(type);
        }
        return result;
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what + ".");
}
