using Spindle.Host.Manifests;
using Spindle.Host.Modules;

namespace Spindle.UnitTests.Manifests;

public sealed class WiringOrderTests
{
    private static ModuleManifest Module(string name, params string[] needs) => new()
    {
        Name = name, Version = Version("1.0.0"), Folder = "/", Assembly = "x.dll", Entry = "X", Contract = VersionRange.Any,
        Kinds = name.StartsWith("frontend", StringComparison.Ordinal) ? ModuleKinds.Frontend : ModuleKinds.Bdev,
        Dependencies = [.. needs.Select(need => new ModuleDependency(need.Split(' ')[0], need.Contains(' ') ? Range(need.Split(' ', 2)[1]) : VersionRange.Any))],
    };

    private static ModuleVersion Version(string text) => ModuleVersion.TryParse(text, out var v) ? v : throw new ArgumentException(text);

    private static VersionRange Range(string text) => VersionRange.TryParse(text, out var r) ? r : throw new ArgumentException(text);

    [Fact]
    public void What_is_needed_comes_first_and_frontends_last()
    {
        var order = WiringOrder.Of([Module("frontend-a"), Module("bdev-top", "bdev-middle"), Module("bdev-middle", "bdev-low"), Module("bdev-other"), Module("bdev-low")]);
        Assert.Equal(["bdev-low", "bdev-middle", "bdev-top", "bdev-other", "frontend-a"], order.Select(m => m.Name));
    }

    [Fact]
    public void Any_order_of_the_manifest_gives_an_order_that_works()
    {
        var random = new Random(7);
        for (int round = 0; round < 200; round++)
        {
            // Each may need those before it, so there is no circle; then shuffled.
            var modules = Enumerable.Range(0, 12).Select(i => Module($"bdev-{i}",
                Enumerable.Range(0, i).Where(_ => random.Next(4) == 0).Select(j => $"bdev-{j}").ToArray())).ToArray();
            random.Shuffle(modules);
            var order = WiringOrder.Of(modules).Select(m => m.Name).ToList();
            Assert.Equal(12, order.Distinct().Count());
            foreach (var module in modules)
                Assert.All(module.Dependencies, d => Assert.True(order.IndexOf(d.Name) < order.IndexOf(module.Name)));
        }
    }

    [Fact]
    public void A_circle_is_named()
    {
        var error = Assert.Throws<ModuleException>(() => WiringOrder.Of([Module("bdev-a", "bdev-b"), Module("bdev-b", "bdev-c"), Module("bdev-c", "bdev-b")]));
        Assert.Equal(ModuleErrorCode.ModuleDependency, error.Code);
        Assert.Contains("bdev-b needs bdev-c needs bdev-b", error.Message);
    }

    [Fact]
    public void What_is_absent_or_of_another_version_is_named()
    {
        Assert.Contains("bdev-b", Assert.Throws<ModuleException>(() => WiringOrder.Of([Module("bdev-a", "bdev-b")])).Message);
        Assert.Contains("has 1.0.0", Assert.Throws<ModuleException>(() => WiringOrder.Of([Module("bdev-a", "bdev-b [2.0, 3.0)"), Module("bdev-b")])).Message);
    }
}
