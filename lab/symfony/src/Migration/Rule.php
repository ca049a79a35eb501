<?php

namespace Lab\Migration;

use Symfony\Component\Console\Input\InputInterface;

/** What the options of one migration say; the runbook has their meaning. */
final class Rule
{
    public int $origin;
    public int $destination;
    public ?string $slug;
    public ?string $value;
    public bool $withDeleted;
    public bool $withAccommodations;

    /** @throws Refusal in words for the person who typed the options */
    public static function from(InputInterface $input): self
    {
        $rule = new self();
        $rule->slug = $input->getOption('targetFieldSlug');
        $rule->value = $input->getOption('targetFieldValue');
        $rule->withDeleted = $input->getOption('withDeleted');
        $rule->withAccommodations = $input->getOption('withAccommodations');
        if ($input->getOption('noField') && (null !== $rule->slug || null !== $rule->value)) {
            throw new Refusal("L'option --noField est incompatible avec -f / -t.");
        }
        if (!$input->getOption('noField') && (null === $rule->slug || null === $rule->value || '' === $rule->value)) {
            throw new Refusal('Les options -f et -t sont requises sans --noField.');
        }
        $rule->origin = self::id($input->getOption('originOrganization'), '-o');
        $rule->destination = self::id($input->getOption('destinationOrganization'), '-d');
        if ($rule->origin === $rule->destination) {
            throw new Refusal("Le centre d'origine et le centre de destination sont identiques.");
        }

        return $rule;
    }

    private static function id(?string $text, string $option): int
    {
        if (null === $text || !preg_match('/^[0-9]{1,9}$/D', $text)) {
            throw new Refusal("L'option $option est requise: l'ID d'un centre.");
        }

        return (int) $text;
    }
}
