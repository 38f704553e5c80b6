// Hosts with reactors of their own: side by side they would measure each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
