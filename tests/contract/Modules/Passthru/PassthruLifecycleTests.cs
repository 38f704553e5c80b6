using NSubstitute;
using Spindle.Bdev.Passthru;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Passthru;

public sealed class PassthruLifecycleTests(ContractHost host) : BdevTest(host)
{
    private Task CreateAsync(string baseName, string name, Guid? uuid = null) =>
        Host.OnAppAsync(() => Host.Modules.Passthru.Create(new PassthruCreateParameters { BaseBdevName = baseName, Name = name, Uuid = uuid }));

    private Task DeleteAsync(string name) => Host.OnAppAsync(() => Host.Modules.Passthru.DeleteAsync(new PassthruDeleteParameters { Name = name }));

    private Task<BdevSubject> MallocAsync(string name, Guid? uuid = null) =>
        Subjects.MallocAsync(Host, new() { Name = Track(name), NumBlocks = 64, BlockSize = 512, Uuid = uuid });

    [Fact]
    public async Task Created_before_its_base_it_comes_up_with_the_base()
    {
        string lower = ContractHost.NewName("later"), name = ContractHost.NewName("waits");
        await CreateAsync(lower, name);
        Assert.Null(Host.Registry.Find(name));
        await MallocAsync(lower);
        Track(name);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, "the passthru");
        var client = await OpenAsync(name);
        await client.WriteBytesAsync(0, new byte[512]);
    }

    [Fact]
    public async Task It_goes_with_its_base_and_comes_back_until_it_is_deleted()
    {
        string lower = ContractHost.NewName("base"), name = Track(ContractHost.NewName("upper"));
        var malloc = await MallocAsync(lower);
        await CreateAsync(lower, name);
        var client = await OpenAsync(name, closeWhenRemoved: true);
        await malloc.DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        Assert.Null(Host.Registry.Find(lower));
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is null, "the passthru to go");
        Assert.Contains(BdevEventType.Remove, client.Events);
        malloc = await MallocAsync(lower);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, "the passthru to come back");
        await DeleteAsync(name);
        Assert.Null(Host.Registry.Find(name));
        await malloc.DeleteAsync!();
        await MallocAsync(lower);
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        Assert.Null(Host.Registry.Find(name));
    }

    [Fact]
    public async Task One_that_waits_can_be_deleted()
    {
        string lower = ContractHost.NewName("never"), name = ContractHost.NewName("waits");
        await CreateAsync(lower, name);
        await DeleteAsync(name);
        await MallocAsync(lower);
        Assert.Null(Host.Registry.Find(name));
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => DeleteAsync(name))).Errno);
    }

    [Fact]
    public async Task Its_base_is_claimed()
    {
        string lower = ContractHost.NewName("base"), name = ContractHost.NewName("upper");
        await MallocAsync(lower);
        await CreateAsync(lower, name);
        Track(name);
        Assert.Equal(BdevClaimType.ExclusiveWrite, BdevRegistry.GetClaim(Host.Registry.Find(lower)!).Type);
        Assert.Equal(Errno.EPERM, (await Assert.ThrowsAsync<SpindleException>(() => OpenAsync(lower))).Errno);
        await OpenAsync(lower, write: false);
        Assert.Equal(Errno.EPERM, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(lower, ContractHost.NewName("second")))).Errno);
        await DeleteAsync(name);
        Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(lower)!).Type);
    }

    [Fact]
    public async Task A_taken_name_is_refused_and_leaves_nothing()
    {
        string lower = ContractHost.NewName("base");
        await MallocAsync(lower);
        Assert.Equal(Errno.EEXIST, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(lower, lower))).Errno);
        Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(lower)!).Type);
        string waits = ContractHost.NewName("waits");
        await CreateAsync("nowhere", waits);
        Assert.Equal(Errno.EEXIST, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(lower, waits))).Errno);
        await DeleteAsync(waits);
    }

    [Fact]
    public async Task Its_uuid_follows_from_the_bases()
    {
        // RFC 9562, 5.5, over the name space that SPDK's passthru uses; computed independently with Python's uuid.uuid5 on the raw bytes.
        string lower = ContractHost.NewName("base"), name = ContractHost.NewName("upper");
        await MallocAsync(lower, Guid.Parse("11112222-3333-4444-5555-666677778888"));
        await CreateAsync(lower, name);
        Track(name);
        Assert.Equal(Guid.Parse(ExpectedUuid), Host.Registry.Find(name)!.Uuid);
    }

    private const string ExpectedUuid = "fcb3a9c5-1f84-5aad-a638-9ae5c043bf22";

    [Fact]
    public async Task The_given_uuid_is_kept_and_all_of_them_are_saved()
    {
        var uuid = Guid.NewGuid();
        string lower = ContractHost.NewName("base"), name = ContractHost.NewName("upper"), waits = ContractHost.NewName("waits");
        await MallocAsync(lower);
        await CreateAsync(lower, name, uuid);
        Track(name);
        await CreateAsync("nowhere", waits);
        Assert.Equal(uuid, Host.Registry.Find(name)!.Uuid);
        var writer = Substitute.For<IConfigWriter>();
        var parameters = new List<string>();
        writer.When(w => w.Call("bdev_passthru_create", Arg.Any<Action<IRpcWriter>>())).Do(call =>
        {
            var json = Substitute.For<IRpcWriter>();
            var values = new List<string>();
            json.When(j => j.String(Arg.Any<string>())).Do(c => values.Add(c.Arg<string>()));
            call.Arg<Action<IRpcWriter>>()(json);
            parameters.Add(string.Join(' ', values));
        });
        await Host.OnAppAsync(() => Host.Modules.PassthruModule.WriteConfig(writer));
        Assert.Contains($"{lower} {name} {uuid}", parameters);
        Assert.Contains($"nowhere {waits}", parameters);
        await DeleteAsync(waits);
    }

    [Fact]
    public async Task It_grows_with_its_base()
    {
        var lower = await Subjects.NullAsync(Host, new() { Name = Track(ContractHost.NewName("null")), NumBlocks = 2048, BlockSize = 512 });
        string name = ContractHost.NewName("upper");
        await CreateAsync(lower.Name, name);
        Track(name);
        var client = await OpenAsync(name);
        await lower.GrowAsync!(2048);
        await Eventually.IsTrueAsync(() => client.Bdev.BlockCount == 4096, "the new size");
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Resize), "the event");
        await client.WriteBytesAsync(4095, new byte[512]);
    }
}
