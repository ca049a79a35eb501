<?php
require '/usr/share/php/Symfony/Component/Console/autoload.php';
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Helper\ProgressBar;
use Symfony\Component\Console\Output\StreamOutput;
use Symfony\Component\Console\Style\SymfonyStyle;
use Symfony\Component\Console\Input\ArrayInput;
[$_, $style, $decorated, $case] = $argv;
$out = new StreamOutput(STDOUT, StreamOutput::VERBOSITY_NORMAL, (bool)$decorated);
$io = new SymfonyStyle(new ArrayInput([]), $out);
$name = ['plain'=>'France Fraternités - CHU 75','wide'=>'Centre 東京 d’hébergement | très long nom qui dépasse + 42','multi'=>"Centre à\ndeux lignes"][$case === 'wrap' ? 'wide' : $case];
if ($case !== 'plain') { fwrite(STDOUT, "PHP Deprecated:  Function foo() is deprecated in /app/x.php on line 3\n12:00:01 INFO      [app] starting [\"a\" => 1]\n"); $pb = new ProgressBar($out, 41); $pb->start(); $pb->advance(20); $pb->finish(); $out->writeln(''); }
$t = new Table($out); $t->setStyle($style);
$t->setHeaders(['Rôle','Centre ID','Centre Nom','Nb. suivis','Après migration']);
$t->setRows([['Origine',4537,$name,160,'119 (- 41 migrés)'],['Destination',5644,'France Fraternités - CHU 77',0,'41 (+ 41 entrants)']]);
if ($case === 'wrap') { $t->setColumnMaxWidth(2, 20); }
$t->render();
$out->writeln('<info>Hébergements à migrer: 3</info>');
$out->writeln('<error>Problème: Hébergements avec individus non migrés rattachés</error>');
$t = new Table($out); $t->setStyle($style);
$t->setHeaders(['Centre ID','Hébergement ID','Individus non migrés','Individus migrés']);
$t->setRows([[4537,892,'1042, 1078','1035'],[4537,893,'1, 2, 3, 4, 5, 6, 7, 8, 9, 10','11']]);
if ($case === 'wrap') { $t->setColumnMaxWidth(2, 12); }
$t->render();
