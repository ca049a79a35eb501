<?php

namespace Lab;

use Psr\Container\ContainerInterface;

/** A container of what it is given: Messenger asks for its transports and buses by name. */
final class Locator implements ContainerInterface
{
    private array $services;

    public function __construct(array $services)
    {
        $this->services = $services;
    }

    public function get(string $id): mixed
    {
        return $this->services[$id] ?? throw new \OutOfBoundsException("no service $id");
    }

    public function has(string $id): bool
    {
        return isset($this->services[$id]);
    }
}
