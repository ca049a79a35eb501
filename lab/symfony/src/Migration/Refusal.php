<?php

namespace Lab\Migration;

/** The command refuses what it was asked, before it touched anything. */
final class Refusal extends \RuntimeException
{
}
