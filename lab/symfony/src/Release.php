<?php

namespace Lab;

/** The release that this process runs, in Deployer's layout: releases/N beside shared. */
final class Release
{
    private string $root;

    public function __construct(string $root)
    {
        // A release stays what it was when the process started, wherever `current` points by now.
        $this->root = (string) realpath($root);
    }

    public function name(): string
    {
        return basename($this->root);
    }

    public function revision(): string
    {
        return trim((string) @file_get_contents($this->root.'/REVISION')) ?: 'unknown';
    }

    public function path(string $path): string
    {
        return $this->root.'/'.$path;
    }

    public function shared(string $path): string
    {
        return dirname($this->root, 2).'/shared/'.$path;
    }

    /** A setting of the environment, else of shared/.env.local, as Symfony reads both; a unit passes no environment on. */
    public function setting(string $name): string
    {
        $file = $this->shared('.env.local');

        return getenv($name) ?: (is_file($file) ? parse_ini_file($file, false, \INI_SCANNER_RAW) : [])[$name] ?? '';
    }
}
