<?php

namespace Lab;

/** A message that takes a known time to handle. */
final class Work
{
    public string $id;
    public float $seconds;

    public function __construct(string $id, float $seconds)
    {
        $this->id = $id;
        $this->seconds = $seconds;
    }
}
